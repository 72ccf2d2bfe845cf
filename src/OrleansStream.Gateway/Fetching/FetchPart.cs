using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Fetching;

/// <summary>A partition as a Fetch names it: by topic id from version 13 on, by name before.</summary>
public readonly record struct FetchKey(string Topic, Guid TopicId, int Partition);

/// <summary>What a client wants of one partition and, in a session, what it was last told.</summary>
public sealed class FetchPart(FetchKey key)
{
    private long _toldHighWatermark = -1;
    private long _toldLogStartOffset = -1;

    public FetchKey Key { get; } = key;
    public long Offset { get; private set; }
    public int MaxBytes { get; private set; }
    public int CurrentLeaderEpoch { get; private set; }
    public int LastFetchedEpoch { get; private set; }

    public void Want(FetchRequest.FetchPartition wish)
    {
        Offset = wish.FetchOffset;
        MaxBytes = wish.PartitionMaxBytes;
        CurrentLeaderEpoch = wish.CurrentLeaderEpoch;
        LastFetchedEpoch = wish.LastFetchedEpoch;
    }

    /// <summary>
    /// Notes what the client is about to be told. False: it knows all of it, and the partition may be left out of an incremental answer (KIP-227).
    /// </summary>
    public bool Tell(ErrorCode error, long highWatermark, long logStartOffset, bool more)
    {
        bool news = more || error != ErrorCode.None || highWatermark != _toldHighWatermark || logStartOffset != _toldLogStartOffset;
        // After an error the client hears of the partition again as soon as it is well.
        _toldHighWatermark = error == ErrorCode.None ? highWatermark : -1;
        _toldLogStartOffset = logStartOffset;
        return news;
    }
}
