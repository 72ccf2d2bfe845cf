using System.Security.Cryptography;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Fetching;

/// <summary>The fetch sessions of all connections, a bounded number of them (KIP-227).</summary>
public sealed class FetchSessionCache(int slots, TimeProvider time)
{
    private const int InitialEpoch = 0;
    private const int FinalEpoch = -1;

    /// <summary>First version that names topics by id (KIP-516).</summary>
    public const short TopicIdVersion = 13;

    // A session that was used within this time gives way only to a larger one.
    private static readonly TimeSpan KeepUsed = TimeSpan.FromMinutes(2);

    private readonly Lock _lock = new();
    private readonly Dictionary<int, FetchSession> _sessions = [];

    public int Count
    {
        get
        {
            lock (_lock)
                return _sessions.Count;
        }
    }

    /// <summary>Finds out what a request asks for: by itself, as the first of a session, or as the next of one.</summary>
    public FetchTurn Begin(FetchRequest request, short version)
    {
        bool byId = version >= TopicIdVersion;
        if (request.SessionEpoch is not (InitialEpoch or FinalEpoch))
            return Continue(request, byId);
        if (request.SessionId != 0)
        {
            lock (_lock)
                _sessions.Remove(request.SessionId);
        }
        bool opens = request.SessionEpoch == InitialEpoch;
        return new FetchTurn(this, ErrorCode.None, session: null, opens, byId, Parts(request, byId));
    }

    private FetchTurn Continue(FetchRequest request, bool byId)
    {
        lock (_lock)
        {
            if (!_sessions.TryGetValue(request.SessionId, out FetchSession? session))
                return Refused(ErrorCode.FetchSessionIdNotFound);
            if (session.Epoch != request.SessionEpoch)
                return Refused(ErrorCode.InvalidFetchSessionEpoch);
            if (session.UsesTopicIds != byId)
                return Refused(ErrorCode.FetchSessionTopicIdError);
            foreach (FetchRequest.FetchTopic topic in request.Topics)
            {
                foreach (FetchRequest.FetchPartition wish in topic.Partitions)
                    session.Want(new FetchKey(topic.Topic, topic.TopicId, wish.Partition), wish);
            }
            foreach (FetchRequest.ForgottenTopic topic in request.ForgottenTopicsData)
            {
                foreach (int partition in topic.Partitions)
                    session.Forget(new FetchKey(topic.Topic, topic.TopicId, partition));
            }
            if (session.Count == 0)
            {
                _sessions.Remove(session.Id);
                return new FetchTurn(this, ErrorCode.None, session: null, opens: false, byId, []);
            }
            session.Advance();
            session.LastUsed = time.GetTimestamp();
            return new FetchTurn(this, ErrorCode.None, session, opens: false, byId, session.Parts());
        }
    }

    /// <summary>Opens a session for partitions that have just been answered; null where there is no room.</summary>
    internal FetchSession? Open(IReadOnlyList<FetchPart> parts, bool byId)
    {
        lock (_lock)
        {
            if (_sessions.Count >= slots && !EvictFor(parts.Count))
                return null;
            int id;
            do
            {
                id = RandomNumberGenerator.GetInt32(1, int.MaxValue);
            }
            while (_sessions.ContainsKey(id));
            var session = new FetchSession(id, byId) { LastUsed = time.GetTimestamp() };
            foreach (FetchPart part in parts)
                session.Add(part);
            _sessions.Add(id, session);
            return session;
        }
    }

    internal void MoveToEnd(FetchSession session, FetchKey key)
    {
        lock (_lock)
            session.MoveToEnd(key);
    }

    // The one unused for longest goes if it has not been used for a while; else the smallest, if it is smaller than the newcomer.
    private bool EvictFor(int count)
    {
        FetchSession? oldest = _sessions.Values.MinBy(static s => s.LastUsed);
        if (oldest is null)
            return false;
        if (time.GetElapsedTime(oldest.LastUsed) > KeepUsed)
            return _sessions.Remove(oldest.Id);
        FetchSession smallest = _sessions.Values.MinBy(static s => s.Count)!;
        return smallest.Count < count && _sessions.Remove(smallest.Id);
    }

    private FetchTurn Refused(ErrorCode error) => new(this, error, session: null, opens: false, byId: false, []);

    private static List<FetchPart> Parts(FetchRequest request, bool byId)
    {
        var parts = new List<FetchPart>();
        HashSet<FetchKey>? seen = null;
        foreach (FetchRequest.FetchTopic topic in request.Topics)
        {
            foreach (FetchRequest.FetchPartition wish in topic.Partitions)
            {
                var key = new FetchKey(byId ? "" : topic.Topic, topic.TopicId, wish.Partition);
                // A set only where there is something to compare with.
                if (parts.Count == 1)
                    seen = [parts[0].Key];
                if (seen?.Add(key) == false)
                    continue;
                var part = new FetchPart(key);
                part.Want(wish);
                parts.Add(part);
            }
        }
        return parts;
    }
}
