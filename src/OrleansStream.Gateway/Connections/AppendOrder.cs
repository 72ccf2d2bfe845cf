using System.Runtime.InteropServices;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Connections;

/// <summary>
/// Keeps a connection's appends to a partition from overtaking one that failed. Behind an append that was refused, or got lost on its way, those are refused as
/// well that the client had sent before it could know: to take one is to put it before its predecessor, and of an idempotent producer it is out of sequence,
/// which librdkafka before 2.4 takes for fatal. With leaders that let requests wait until they serve, and leaders that are reached through this one, this is no
/// rare race: behind the one that has failed stand all the others. Thread-safe: appends end while others begin.
/// </summary>
internal sealed class AppendOrder
{
    // Up to where in the connection's input, in bytes from its start; Unknown until it is known how much had been received.
    private const long Unknown = long.MaxValue;

    private readonly Lock _lock = new();
    private readonly Dictionary<(Guid Topic, int Partition), long> _until = [];
    private readonly Dictionary<(Guid Topic, int Partition), UnderWay> _underWay = [];
    private long _position;
    private bool _news;

    private record struct UnderWay(IPartition Partition, int Count);

    /// <summary>An append to the partition was refused before it began.</summary>
    public void Refused(Guid topic, int partition)
    {
        lock (_lock)
            RefuseBehind((topic, partition));
    }

    /// <summary>Whether the request at hand was sent before its client could know that an earlier one was refused.</summary>
    public bool IsBehind(Guid topic, int partition)
    {
        lock (_lock)
            return _until.Count > 0 && _until.ContainsKey((topic, partition));
    }

    /// <summary>
    /// An append may begin, and is under way until <see cref="Ended"/>. False: it is to be refused, because an earlier one has failed, or is under way and may yet fail
    /// with a leader that went.
    /// </summary>
    /// <param name="waited">Whether the leader had to be waited for: what was begun with it before then may have been lost.</param>
    public bool TryBegin(Guid topic, int partition, IPartition leader, bool waited)
    {
        (Guid, int) key = (topic, partition);
        lock (_lock)
        {
            if (_until.Count > 0 && _until.ContainsKey(key))
                return false;
            ref UnderWay before = ref CollectionsMarshal.GetValueRefOrAddDefault(_underWay, key, out _);
            if (before.Count > 0 && (waited || !ReferenceEquals(before.Partition, leader)))
            {
                RefuseBehind(key);
                return false;
            }
            before = new UnderWay(leader, before.Count + 1);
            return true;
        }
    }

    /// <summary>An append that had begun has its answer.</summary>
    public void Ended(Guid topic, int partition, ErrorCode error)
    {
        (Guid, int) key = (topic, partition);
        lock (_lock)
        {
            ref UnderWay before = ref CollectionsMarshal.GetValueRefOrNullRef(_underWay, key);
            if (before.Count > 1)
                before.Count--;
            else
                _underWay.Remove(key);
            if (IsSentAgain(error))
                RefuseBehind(key);
        }
    }

    /// <summary>A request begins.</summary>
    /// <param name="buffered">How many bytes had been received when the one before had begun, and are not served yet.</param>
    public void Begin(long buffered)
    {
        lock (_lock)
        {
            if (_until.Count == 0)
                return;
            if (_news)
            {
                _news = false;
                foreach (((Guid, int) key, long until) in _until)
                {
                    if (until == Unknown)
                        _until[key] = _position + buffered;
                }
            }
            foreach (((Guid, int) key, long until) in _until)
            {
                if (until <= _position)
                    _until.Remove(key);
            }
        }
    }

    /// <summary>A request of so many bytes has begun or was answered.</summary>
    public void Served(long bytes) => _position += bytes;

    /// <summary>Errors behind which a client sends the same batch once more; what it had sent behind it must come after that.</summary>
    private static bool IsSentAgain(ErrorCode error) => error is ErrorCode.NotLeaderOrFollower or ErrorCode.RequestTimedOut or ErrorCode.KafkaStorageError;

    // Behind a refusal its end stays where it is: what is sent after the answer is looked at anew.
    private void RefuseBehind((Guid, int) key) => _news |= _until.TryAdd(key, Unknown);
}
