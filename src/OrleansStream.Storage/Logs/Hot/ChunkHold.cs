using OrleansStream.Storage.Memory;

namespace OrleansStream.Storage.Logs;

/// <summary>References to chunks that a read holds until it is disposed, once.</summary>
internal sealed class ChunkHold(Chunk first) : IDisposable
{
    private Chunk? _first = first;
    private List<Chunk>? _others;

    /// <summary>Adds a reference that the caller has taken.</summary>
    public void Add(Chunk chunk) => (_others ??= []).Add(chunk);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _first, null) is not { } chunk)
            return;
        chunk.Release();
        if (_others is null)
            return;
        foreach (var other in _others)
            other.Release();
    }
}

/// <summary>Several holds as one.</summary>
internal sealed class JoinedHold : IDisposable
{
    private List<IDisposable>? _holds = [];

    public void Add(IDisposable? hold)
    {
        if (hold is not null)
            _holds!.Add(hold);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _holds, null) is not { } holds)
            return;
        foreach (var hold in holds)
            hold.Dispose();
    }
}
