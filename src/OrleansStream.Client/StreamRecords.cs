using System.Text;

namespace OrleansStream.Client;

/// <summary>A record that is to be appended.</summary>
/// <param name="Key">Records of one key go to one partition, in their order; null: any partition, in turn.</param>
/// <param name="Value">Null is a tombstone: in a compacted topic it removes the key.</param>
public sealed record NewRecord(ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte>? Value)
{
    /// <summary>A record of text, in UTF-8.</summary>
    public NewRecord(string? key, string? value)
        : this(key is null ? null : (ReadOnlyMemory<byte>?)Encoding.UTF8.GetBytes(key), value is null ? null : (ReadOnlyMemory<byte>?)Encoding.UTF8.GetBytes(value)) { }

    public IReadOnlyList<KeyValuePair<string, byte[]?>> Headers { get; init; } = [];

    /// <summary>When it happened; where null, when it was handed over.</summary>
    public DateTimeOffset? Timestamp { get; init; }

    /// <summary>The partition; where null, the key decides.</summary>
    public int? Partition { get; init; }
}

/// <summary>Where a record is.</summary>
public readonly record struct RecordPosition(int Partition, long Offset);

/// <summary>A record that was read.</summary>
public sealed record StreamRecord(RecordPosition Position, DateTimeOffset Timestamp, ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte>? Value)
{
    public IReadOnlyList<KeyValuePair<string, byte[]?>> Headers { get; init; } = [];

    public int Partition => Position.Partition;

    public long Offset => Position.Offset;

    /// <summary>The key, if it is UTF-8.</summary>
    public string? KeyText => Key is { } key ? Encoding.UTF8.GetString(key.Span) : null;

    /// <summary>The value, if it is UTF-8.</summary>
    public string? ValueText => Value is { } value ? Encoding.UTF8.GetString(value.Span) : null;
}

/// <summary>Where reading begins.</summary>
public readonly record struct ReadFrom
{
    private const long LatestTimestamp = -1;
    private const long EarliestTimestamp = -2;

    private ReadFrom(long offset, long timestamp) => (GivenOffset, Timestamp) = (offset, timestamp);

    /// <summary>The oldest record that is kept.</summary>
    public static ReadFrom Start { get; } = new(-1, EarliestTimestamp);

    /// <summary>Behind the newest record: what is appended from now on.</summary>
    public static ReadFrom End { get; } = new(-1, LatestTimestamp);

    public static ReadFrom Offset(long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return new(offset, 0);
    }

    /// <summary>The first record that is not older; behind the newest where all are.</summary>
    public static ReadFrom Time(DateTimeOffset time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, DateTimeOffset.UnixEpoch);
        return new(-1, time.ToUnixTimeMilliseconds());
    }

    /// <summary>-1 where it has to be looked up, by <see cref="Timestamp"/>.</summary>
    internal long GivenOffset { get; }

    /// <summary>As ListOffsets has it.</summary>
    internal long Timestamp { get; }
}
