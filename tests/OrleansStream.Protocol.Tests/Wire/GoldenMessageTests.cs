using System.Buffers;
using System.Diagnostics;
using OrleansStream.Protocol.Generator;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>Every message in every version has, byte for byte, the form that Kafka's Java client gives it.</summary>
public class GoldenMessageTests
{
    public static TheoryData<string> Names { get; } = [.. Schemas.Messages.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Our_values_have_the_bytes_of_the_Java_client(string name)
    {
        Message message = Schemas.Messages[name];
        Assert.Equal(Enumerable.Range(message.Versions.Low, message.Versions.High - message.Versions.Low + 1), Golden.All[name].Select(g => (int)g.Version).Distinct());
        foreach (Golden golden in Golden.All[name])
        {
            IMessage ours = golden.Fill == "default"
                ? (IMessage)Activator.CreateInstance(Schemas.ClassOf(name))!
                : MessageRecipe.Fill(message, golden.Version, golden.Fill == "nulls");
            Equal(golden, Golden.Write(ours, golden.Version));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void What_the_Java_client_wrote_is_read_and_written_back(string name)
    {
        var read = Golden.ReaderOf(name);
        foreach (Golden golden in Golden.All[name])
        {
            Equal(golden, Golden.Write(read(new ReadOnlySequence<byte>(golden.Bytes), golden.Version), golden.Version));
            Equal(golden, Golden.Write(read(Segments.Of(golden.Bytes, 1), golden.Version), golden.Version));
            Equal(golden, Golden.Write(read(Segments.Of(golden.Bytes, 7), golden.Version), golden.Version));
        }
    }

    [SkippableFact]
    public void The_golden_file_is_what_the_Java_client_writes_today()
    {
        Skip.If(Schemas.KafkaPeers is null, "KAFKA_PEERS not found: the golden file was not compared with the Java client");
        string folder = Path.GetDirectoryName(Schemas.GoldenFile)!;
        var start = new ProcessStartInfo("java")
        {
            RedirectStandardOutput = true,
            StandardOutputEncoding = System.Text.Encoding.UTF8,
            ArgumentList = { "-cp", Path.Combine(Schemas.KafkaPeers, "kafka", "libs", "*"), Path.Combine(folder, "GoldenMessages.java") },
        };
        foreach (string name in Schemas.Messages.Keys.Order(StringComparer.Ordinal))
            start.ArgumentList.Add(name);
        Process? java = null;
        try
        {
            java = Process.Start(start);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Skip.If(true, "no java: the golden file was not compared with the Java client");
        }
        using (java)
        {
            string written = java!.StandardOutput.ReadToEnd();
            java.WaitForExit();
            Assert.Equal(0, java.ExitCode);
            if (Environment.GetEnvironmentVariable("GOLDEN_REWRITE") == "1")
                File.WriteAllText(Schemas.GoldenFile, written);
            Assert.Equal(File.ReadAllText(Schemas.GoldenFile), written);
        }
    }

    private static void Equal(Golden golden, byte[] ours)
    {
        if (!golden.Bytes.AsSpan().SequenceEqual(ours))
            Assert.Fail($"{golden}\nJava {Convert.ToHexStringLower(golden.Bytes)}\nours {Convert.ToHexStringLower(ours)}");
    }
}
