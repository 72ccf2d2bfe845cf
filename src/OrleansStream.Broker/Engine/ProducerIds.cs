using OrleansStream.Broker.Topics;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// Gives out producer ids, each at most once for ever: a process reserves a block by compare-and-swap of cluster/producer-ids before it gives out the
/// first of it. What is left of a block when the process ends is never given out.
/// </summary>
internal sealed class ProducerIds(IObjectStore store, RuntimePorts ports)
{
    private const int BlockSize = 1000;

    private sealed record NextBlock(long First);

    private static readonly CellCodec<NextBlock> Codec = new(
        CellKind.ProducerIds, 1, (next, writer) => writer.Long(next.First), reader => new NextBlock(reader.Long()));

    private readonly StoredCell<NextBlock> _cell = new(store, ports, "cluster/producer-ids", Codec);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Lock _lock = new();
    private long _next;
    private long _end;

    /// <summary>Throws <see cref="StoreUnavailableException"/> where a block is needed and cannot be had.</summary>
    public async ValueTask<long> NextAsync(CancellationToken cancel)
    {
        while (true)
        {
            if (TryNext() is { } id)
                return id;
            await _turn.WaitAsync();
            try
            {
                // Another caller may have reserved while this one waited.
                if (TryNext() is { } late)
                    return late;
                var block = await _cell.UpdateAsync(there => new NextBlock((there?.First ?? 0) + BlockSize), cancel);
                lock (_lock)
                    (_next, _end) = (block!.First - BlockSize, block.First);
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    private long? TryNext()
    {
        lock (_lock)
            return _next < _end ? _next++ : null;
    }
}
