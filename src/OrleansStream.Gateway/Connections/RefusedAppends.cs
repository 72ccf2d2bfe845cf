namespace OrleansStream.Gateway.Connections;

/// <summary>
/// The partitions whose appends a connection was refused, for as long as requests come that the client had sent before it could know. Those are refused, too: to
/// take one after its predecessor was refused is to put it before that, and of an idempotent producer it is out of sequence, which librdkafka before 2.4 takes
/// for fatal where its last leader had died. With a leader that lets requests wait until it serves this is no rare race: behind the one that has waited in vain
/// stand all the others.
/// </summary>
internal sealed class RefusedAppends
{
    // Up to where in the connection's input, in bytes from its start; Unknown until it is known how much had been received.
    private const long Unknown = long.MaxValue;

    private readonly Dictionary<(Guid Topic, int Partition), long> _until = [];
    private long _position;
    private bool _news;

    /// <summary>An append to the partition was refused.</summary>
    public void Add(Guid topic, int partition)
    {
        // Behind a refusal its end stays where it is: what is sent after the answer is looked at anew.
        _news |= _until.TryAdd((topic, partition), Unknown);
    }

    /// <summary>Whether the request at hand was sent before its client could know that an earlier one was refused.</summary>
    public bool IsBehind(Guid topic, int partition) => _until.Count > 0 && _until.ContainsKey((topic, partition));

    /// <summary>A request begins.</summary>
    /// <param name="buffered">How many bytes had been received when the one before had begun, and are not served yet.</param>
    public void Begin(long buffered)
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

    /// <summary>A request of so many bytes has begun or was answered.</summary>
    public void Served(long bytes) => _position += bytes;
}
