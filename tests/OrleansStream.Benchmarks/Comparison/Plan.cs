namespace OrleansStream.Benchmarks.Comparison;

/// <summary>How much is measured. Bytes are bytes of record batches.</summary>
internal sealed record Plan
{
    public int Rounds { get; init; }
    public long WarmUpBytes { get; init; }

    /// <summary>Half of our default memory budget, so that nothing has to be sealed while it lasts.</summary>
    public long BurstBytes { get; init; }

    /// <summary>Sealing goes on while this is produced; 0 leaves it out.</summary>
    public long SustainedBytes { get; init; }
    public double LatencySeconds { get; init; }

    /// <summary>Where the last latency load leaves its requests one by one; empty for nowhere.</summary>
    public string TraceFile { get; init; } = "";
    public int ManyPartitions { get; init; }
    public TimeSpan Settle { get; init; }

    /// <summary>Records that Kafka's own perf tools send and read; 0 leaves them out.</summary>
    public int PerfToolRecords { get; init; }

    /// <summary>How long commits and heartbeats are measured, in seconds.</summary>
    public double GroupSeconds { get; init; }

    /// <summary>How many commits the partition has taken when the broker is restarted.</summary>
    public int GroupCommits { get; init; }

    public static Plan From(Arguments options)
    {
        bool quick = options.Flag("quick");
        return new Plan
        {
            Rounds = options.Count("rounds", quick ? 1 : 5),
            WarmUpBytes = Megabytes(options.Number("warm-up-mb", quick ? 300 : 1000)),
            BurstBytes = Megabytes(options.Number("burst-mb", quick ? 200 : 536)),
            SustainedBytes = Megabytes(options.Number("sustained-mb", quick ? 0 : 20_000)),
            LatencySeconds = options.Number("latency-seconds", quick ? 3 : 20),
            TraceFile = options.Text("latency-trace", ""),
            ManyPartitions = options.Count("many-partitions", quick ? 500 : 2000),
            Settle = TimeSpan.FromSeconds(options.Number("settle-seconds", quick ? 1 : 5)),
            GroupSeconds = options.Number("group-seconds", quick ? 3 : 10),
            GroupCommits = options.Count("group-commits", quick ? 100_000 : 1_000_000),
            PerfToolRecords = options.Count("perf-tool-records", quick ? 0 : 1_000_000),
        };
    }

    private static long Megabytes(double megabytes) => (long)(megabytes * 1e6);
}
