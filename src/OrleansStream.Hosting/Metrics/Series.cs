namespace OrleansStream.Hosting.Metrics;

/// <summary>The tags of a measurement, up to two of them: enough for ours, and no allocation for a look-up.</summary>
internal readonly record struct Tags(string? Key1, string? Value1, string? Key2, string? Value2)
{
    public static Tags From(ReadOnlySpan<KeyValuePair<string, object?>> tags) => tags.Length switch
    {
        0 => default,
        1 => new Tags(tags[0].Key, tags[0].Value?.ToString(), null, null),
        _ => new Tags(tags[0].Key, tags[0].Value?.ToString(), tags[1].Key, tags[1].Value?.ToString()),
    };
}

/// <summary>What one instrument measured under one set of tags.</summary>
internal sealed class Series(double[]? bounds)
{
    private readonly Lock _lock = new();
    private readonly long[] _buckets = new long[(bounds?.Length ?? 0) + 1];
    private double _sum;
    private long _count;

    /// <summary>For counters and sums of ups and downs.</summary>
    public void Add(double value)
    {
        lock (_lock)
            _sum += value;
    }

    /// <summary>For gauges.</summary>
    public void Set(double value)
    {
        lock (_lock)
            _sum = value;
    }

    /// <summary>For histograms.</summary>
    public void Record(double value)
    {
        int bucket = 0;
        while (bucket < bounds!.Length && value > bounds[bucket])
            bucket++;
        lock (_lock)
        {
            _buckets[bucket]++;
            _sum += value;
            _count++;
        }
    }

    public (double Sum, long Count, long[] Buckets) Read()
    {
        lock (_lock)
            return (_sum, _count, [.. _buckets]);
    }
}
