using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>Bounds of the read cache.</summary>
public sealed record ReadCacheOptions
{
    /// <summary>Bytes of sealed data held, buffers waiting for reuse included.</summary>
    public long CapacityBytes { get; init; } = 256 << 20;

    /// <summary>The smallest ranged get, and its alignment. A power of two.</summary>
    public int BlockBytes { get; init; } = 1 << 20;

    /// <summary>The largest ranged get, which a sequential reader's read-ahead grows to. A power of two.</summary>
    public int MaxReadAheadBytes { get; init; } = 8 << 20;

    /// <summary>Bytes of run indexes held.</summary>
    public long IndexCapacityBytes { get; init; } = 32 << 20;
}

/// <summary>A bounded cache of aligned ranges of sealed objects. Apart from hot memory, so that a cold reader never evicts what is hot. Thread-safe.</summary>
public sealed class ReadCache(IObjectStore store, IChunkSource chunks, RuntimePorts ports, ReadCacheOptions options)
{
    public ReadCacheOptions Options { get; } = options;
    internal IObjectStore Store { get; } = store;
    internal IChunkSource Chunks { get; } = chunks;
    internal RuntimePorts Ports { get; } = ports;

    internal readonly struct Pin
    {
        public void Release() => throw new NotImplementedException();
    }
}
