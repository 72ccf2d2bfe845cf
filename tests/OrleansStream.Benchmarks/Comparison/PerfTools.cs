using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using OrleansStream.Benchmarks.Brokers;

namespace OrleansStream.Benchmarks.Comparison;

/// <summary>Kafka's own perf tools. They cost more processor time than either broker, so their ratios are pulled towards 1.</summary>
internal sealed partial class PerfTools(string script)
{
    private const double MebibyteInMegabytes = 1.048576;

    /// <summary>MB/s of producer-perf-test: 1 KiB records, acks=all, 256 KiB batches.</summary>
    public double Produce(BrokerProcess broker, string topic, int records)
    {
        string output = Run(
            "producer-perf-test", "--topic", topic, "--num-records", Text(records), "--record-size", "1024", "--throughput", "-1", "--producer-props",
            $"bootstrap.servers={broker.Address}", "acks=all", "batch.size=262144", "linger.ms=5");
        return Parse(ProducerLine().Matches(output), output);
    }

    /// <summary>MB/s of consumer-perf-test from the topic's beginning; null where the broker has no groups, which the tool needs.</summary>
    public double? Consume(BrokerProcess broker, string topic, int records)
    {
        if (!broker.Client.HasGroups())
            return null;
        string output = Run("consumer-perf-test", "--bootstrap-server", broker.Address, "--topic", topic, "--num-records", Text(records), "--timeout", "60000");
        string[] columns = output.Trim().Split('\n')[^1].Split(',');
        return double.Parse(columns[3], CultureInfo.InvariantCulture) * MebibyteInMegabytes;
    }

    private string Run(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(script, arguments) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{arguments[0]} ended with {process.ExitCode}: {output}");
    }

    private static double Parse(MatchCollection matches, string output) => matches.Count > 0
        ? double.Parse(matches[^1].Groups[1].Value, CultureInfo.InvariantCulture) * MebibyteInMegabytes
        : throw new InvalidOperationException("No figure in: " + output);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\(([0-9.]+) MB/sec\)")]
    private static partial Regex ProducerLine();
}
