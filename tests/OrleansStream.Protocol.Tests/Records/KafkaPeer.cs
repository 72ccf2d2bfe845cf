using System.Diagnostics;

namespace OrleansStream.Protocol.Tests.Records;

/// <summary>The Apache Kafka beside this repository: environment variable KAFKA_PEERS, by default ../shared/peers seen from the repository root.</summary>
internal static class KafkaPeer
{
    private static readonly string? Script = Find();

    public static void SkipIfAbsent() => Skip.If(Script is null, "SKIPPED: no Apache Kafka at KAFKA_PEERS (default ../shared/peers); nothing was compared with it.");

    /// <summary>Runs a Java source file with Kafka's class path; throws with its output if it fails.</summary>
    public static void RunJava(string sourceFile, params string[] arguments)
    {
        string classPath = Run(Script!, "classpath").Trim();
        Run("java", ["-cp", classPath, sourceFile, .. arguments]);
    }

    private static string Run(string file, params string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{file} ended with {process.ExitCode}: {output} {errors.Result}");
    }

    private static string? Find()
    {
        string? peers = Environment.GetEnvironmentVariable("KAFKA_PEERS");
        if (peers is null)
        {
            var root = new DirectoryInfo(AppContext.BaseDirectory);
            while (root is not null && !File.Exists(Path.Combine(root.FullName, "OrleansStream.sln")))
                root = root.Parent;
            if (root is null)
                return null;
            peers = Path.Combine(root.FullName, "..", "shared", "peers");
        }
        string script = Path.Combine(peers, "kafka", "kafka");
        return File.Exists(script) ? script : null;
    }
}
