using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Fetching;

/// <summary>One Fetch request in the light of its session: which partitions it is about, and which of them its answer names.</summary>
public sealed class FetchTurn(FetchSessionCache cache, ErrorCode error, FetchSession? session, bool opens, bool byId, IReadOnlyList<FetchPart> parts)
{
    private FetchSession? _session = session;

    /// <summary>Why the whole request is refused.</summary>
    public ErrorCode Error { get; } = error;

    public IReadOnlyList<FetchPart> Parts { get; } = parts;

    /// <summary>Whether the answer leaves out what the client knows already.</summary>
    public bool Incremental { get; } = session is not null;

    /// <summary>The session that the answer names, 0 for none.</summary>
    public int SessionId => _session?.Id ?? 0;

    /// <summary>Whether the client must hear of this partition.</summary>
    public bool Tell(FetchPart part, ErrorCode error, long highWatermark, long logStartOffset, bool records, bool more)
    {
        bool news = part.Tell(error, highWatermark, logStartOffset, records || more);
        if (records && _session is { } session && Incremental)
            cache.MoveToEnd(session, part.Key);
        return news || !Incremental;
    }

    /// <summary>Opens the session that the request asked for, once all its partitions have been told of.</summary>
    public void Finish()
    {
        if (opens)
            _session = cache.Open(Parts, byId);
    }
}
