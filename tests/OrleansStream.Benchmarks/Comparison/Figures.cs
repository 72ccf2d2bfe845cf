namespace OrleansStream.Benchmarks.Comparison;

/// <summary>Whether a figure is good when it is large or when it is small.</summary>
internal enum Better
{
    More,
    Less,
}

/// <summary>One line of the report: what is measured, in which unit, and the ratio ours / Kafka's to reach; null where none was set.</summary>
internal sealed record Figure(string Point, string Name, string Unit, Better Better, double? Goal);

/// <summary>All lines in their order.</summary>
internal static class Figures
{
    public static readonly Figure Burst1 = new("a", "produce, burst, 1 partition", "MB/s", Better.More, 3);
    public static readonly Figure Burst12 = new("a", "produce, burst, 12 partitions", "MB/s", Better.More, 3);
    public static readonly Figure Sustained1 = new("a", "produce, sustained, 1 partition", "MB/s", Better.More, 0.9);
    public static readonly Figure Sustained12 = new("a", "produce, sustained, 12 partitions", "MB/s", Better.More, 0.9);
    public static readonly Figure Synced1 = new("b", "produce, Kafka synced too, 1 partition", "MB/s", Better.More, 6);
    public static readonly Figure Synced12 = new("b", "produce, Kafka synced too, 12 partitions", "MB/s", Better.More, 6);
    public static readonly Figure Hot1 = new("c", "consume what is hot, 1 partition", "MB/s", Better.More, 1.0);
    public static readonly Figure Hot12 = new("c", "consume what is hot, 12 partitions", "MB/s", Better.More, 1.0);
    public static readonly Figure Sealed1 = new("d", "consume what is sealed, 1 partition", "MB/s", Better.More, 0.8);
    public static readonly Figure Sealed12 = new("d", "consume what is sealed, 12 partitions", "MB/s", Better.More, 0.8);
    public static readonly Figure AckP50 = new("e", "acknowledge p50", "ms", Better.Less, 1.0);
    public static readonly Figure AckP99 = new("e", "acknowledge p99", "ms", Better.Less, 0.25);
    public static readonly Figure AckP999 = new("e", "acknowledge p99.9", "ms", Better.Less, null);
    public static readonly Figure EndP50 = new("e", "end to end p50", "ms", Better.Less, 1.0);
    public static readonly Figure EndP99 = new("e", "end to end p99", "ms", Better.Less, 0.25);
    public static readonly Figure EndP999 = new("e", "end to end p99.9", "ms", Better.Less, null);
    public static readonly Figure FirstStart = new("f", "start in an empty folder to first Metadata", "s", Better.Less, 0.25);
    public static readonly Figure Restart = new("f", "restart to first Metadata", "s", Better.Less, 0.25);
    public static readonly Figure IdleMemory = new("g", "resident memory, idle", "MB", Better.Less, 0.5);
    public static readonly Figure ManyMemory = new("g", "resident memory, with many partitions", "MB", Better.Less, 0.5);
    public static readonly Figure PerfProduce = new("tools", "producer-perf-test, 12 partitions", "MB/s", Better.More, null);
    public static readonly Figure PerfConsume = new("tools", "consumer-perf-test, 12 partitions", "MB/s", Better.More, null);
    public static readonly Figure BurstCpu = new("cpu", "processor time to produce, 12 partitions", "s/GB", Better.Less, null);
    public static readonly Figure HotCpu = new("cpu", "processor time to consume, 12 partitions", "s/GB", Better.Less, null);

    public static readonly Figure Commits = new("groups", "offset commits, one coordinator", "1/s", Better.More, 2);
    public static readonly Figure GroupLoad = new("groups", "restart to first OffsetFetch, after these commits", "s", Better.Less, null);
    public static readonly Figure Converge = new("groups", "500 members of one group converge", "s", Better.Less, null);
    public static readonly Figure ClassicConverge = new("groups", "500 members of one classic group converge", "s", Better.Less, null);
    public static readonly Figure ClassicCpu = new("groups", "1,000 classic groups of 3, a heartbeat every 3 s", "cores", Better.Less, null);
    public static readonly Figure GroupCpu = new("groups", "1,000 groups of 3 members, a heartbeat every 3 s", "cores", Better.Less, null);

    public static readonly IReadOnlyList<Figure> All =
    [
        Burst1, Burst12, Sustained1, Sustained12, Synced1, Synced12, Hot1, Hot12, Sealed1, Sealed12, AckP50, AckP99, AckP999, EndP50, EndP99, EndP999,
        FirstStart, Restart, IdleMemory, ManyMemory, PerfProduce, PerfConsume, BurstCpu, HotCpu,
        Commits, GroupLoad, Converge, GroupCpu, ClassicConverge, ClassicCpu,
    ];
}

/// <summary>What was measured of each broker, run by run.</summary>
internal sealed class Measurements
{
    private readonly Dictionary<(string Broker, Figure Figure), List<double>> _values = [];

    public void Add(string broker, Figure figure, double value)
    {
        if (!_values.TryGetValue((broker, figure), out List<double>? values))
            _values[(broker, figure)] = values = [];
        values.Add(value);
        Console.Error.WriteLine($"  {broker,-14} {figure.Name,-45} {value,10:0.00} {figure.Unit}");
    }

    public IReadOnlyList<double> Of(string broker, Figure figure) => _values.TryGetValue((broker, figure), out List<double>? values) ? values : [];

    public double? Median(string broker, Figure figure)
    {
        double[] sorted = [.. Of(broker, figure).Order()];
        return sorted.Length == 0 ? null : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
