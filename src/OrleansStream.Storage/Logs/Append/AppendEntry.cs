using System.Threading.Tasks.Sources;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Memory;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Logs;

/// <summary>One append on its way into the journal, and the promise that its producer waits for: one object for both.</summary>
internal sealed class AppendEntry : JournalEntry, IValueTaskSource<LogStatus>, IClientWait
{
    private readonly PartitionLog _log;
    private readonly Chunk _chunk;
    private ManualResetValueTaskSourceCore<LogStatus> _source;
    private LogStatus _status;

    public AppendEntry(PartitionLog log, Chunk chunk, ReadOnlyMemory<byte> payload, long baseOffset, long lastOffset)
    {
        _log = log;
        _chunk = chunk;
        Partition = log.Id;
        LeaderEpoch = log.LeaderEpoch;
        BaseOffset = baseOffset;
        LastOffset = lastOffset;
        Payload = payload;
        chunk.Retain();
    }

    public ValueTask<LogStatus> Durable => new(this, _source.Version);

    public override void Complete(JournalOutcome outcome)
    {
        _status = _log.Completed(this, outcome);
        Payload = default;
        _chunk.Release();
        // The journal's loop completes entries; what producers wait for must not run on it.
        _log.EndWait(this);
    }

    void IClientWait.End() => _source.SetResult(_status);

    public LogStatus GetResult(short token) => _source.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _source.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
