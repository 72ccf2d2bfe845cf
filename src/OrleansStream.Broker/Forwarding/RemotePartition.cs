using System.Buffers;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Forwarding;

/// <summary>
/// A partition that another broker leads, reached through that one. Appends begin there in the order in which they begin here, many under way at a time. Once
/// the leader has failed to answer, or answered that it leads no more, it is not <see cref="IsReady"/> until <see cref="ReadyAsync"/>; where another broker
/// leads, another object takes its place.
/// </summary>
internal sealed class RemotePartition(
    PartitionId id, int leader, IPeerBroker peer, BrokerEngine engine, ForwardedBytes memory, RuntimePorts ports) : IPartition
{
    /// <summary>How long a leader that failed is left alone, where no other one is named.</summary>
    private static readonly TimeSpan FailurePause = TimeSpan.FromMilliseconds(100);

    private readonly CallSequence _appends = new(ports.Random.NextGuid());
    private readonly RemoteWatch _watch = new(known => peer.WaitAsync(new PeerCall(id, engine.Assignment.Version), known, RemoteWatch.HeldAtMost), ports);
    private Watermarks _heard = new(ErrorCode.None);
    private volatile bool _failed;

    public PartitionId Id => id;

    /// <summary>The node id of the broker that it asks.</summary>
    public int Leader => leader;

    public int LeaderEpoch => engine.Assignment[id].LeaderEpoch;
    public bool IsHere => false;
    public bool Leads => !_watch.Ended;
    public long LogStartOffset => _heard.LogStartOffset;
    public long HighWatermark => _heard.HighWatermark;
    public long LastStableOffset => _heard.LastStableOffset;

    public bool IsReady => !_failed && _appends.IsOpen;

    private PeerCall Call => new(id, engine.Assignment.Version);

    /// <summary>Completes when it is worth another try: at once where nothing failed.</summary>
    public async Task ReadyAsync()
    {
        if (_failed)
        {
            await Task.WhenAny(engine.AssignedAfterAsync(engine.Assignment.Version), Task.Delay(FailurePause, ports.Time));
            _failed = false;
        }
        await _appends.OpenAsync();
    }

    /// <summary>Another broker leads: who waits for changes looks again.</summary>
    public void Retire() => _watch.End();

    public ValueTask<AppendResult> AppendAsync(ReadOnlySequence<byte> records, Acks acks, short produceVersion)
    {
        var length = (int)records.Length;
        var copy = ArrayPool<byte>.Shared.Rent(length);
        records.CopyTo(copy);
        Task<AppendResult> call;
        lock (_appends.Sync)
        {
            if (_appends.TryBegin(out var order))
            {
                memory.Add(length);
                call = peer.AppendAsync(Call, order, copy.AsMemory(0, length), acks, produceVersion);
            }
            else
            {
                ArrayPool<byte>.Shared.Return(copy);
                return new(new AppendResult(ErrorCode.NotLeaderOrFollower));
            }
        }
        return AnswerAsync(call, copy, length);
    }

    private async ValueTask<AppendResult> AnswerAsync(Task<AppendResult> call, byte[] copy, int length)
    {
        try
        {
            var result = await call;
            ArrayPool<byte>.Shared.Return(copy);
            _failed |= result.Error == ErrorCode.NotLeaderOrFollower;
            _appends.End(lost: false);
            return result;
        }
        catch (PeerLostException e)
        {
            // The copy is left to the garbage collector: a call that was lost may still be about to be sent.
            _failed = true;
            _appends.End(lost: true);
            // Not NOT_LEADER_OR_FOLLOWER, which says that nothing was appended.
            return new AppendResult(ErrorCode.RequestTimedOut, ErrorMessage: e.Message);
        }
        finally
        {
            memory.Remove(length);
        }
    }

    public async ValueTask<PartitionRead> ReadAsync(PartitionReadRequest request, CancellationToken cancel)
    {
        var read = await AskAsync(peer.ReadAsync(Call, request), static r => r.Error, static error => new PartitionRead(error, -1, -1, -1, default));
        if (read.Error == ErrorCode.None)
        {
            _heard = new Watermarks(ErrorCode.None, read.HighWatermark, read.LastStableOffset, read.LogStartOffset);
            _watch.Heard(read.HighWatermark);
        }
        return read;
    }

    public IDisposable Watch(IPartitionWatcher watcher) => _watch.Add(watcher);

    public async ValueTask<OffsetLookup> ListOffsetAsync(long timestamp, IsolationLevel isolation, int currentLeaderEpoch, CancellationToken cancel) =>
        await AskAsync(peer.ListOffsetAsync(Call, timestamp, isolation, currentLeaderEpoch), static r => r.Error, static error => new OffsetLookup(error));

    public async ValueTask<EpochEnd> EndOffsetForEpochAsync(int currentLeaderEpoch, int leaderEpoch, CancellationToken cancel) =>
        await AskAsync(peer.EndOffsetForEpochAsync(Call, currentLeaderEpoch, leaderEpoch), static r => r.Error, static error => new EpochEnd(error));

    public async ValueTask<DeletedRecords> DeleteRecordsAsync(long offset, CancellationToken cancel) =>
        await AskAsync(peer.DeleteRecordsAsync(Call, offset), static r => r.Error, static error => new DeletedRecords(error, -1));

    public async ValueTask<ActiveProducers> DescribeProducersAsync(CancellationToken cancel) =>
        await AskAsync(peer.DescribeProducersAsync(Call), static r => r.Error, static error => new ActiveProducers(error, []));

    public async ValueTask<long?> SizeAsync(CancellationToken cancel) => await AskAsync(
        peer.SizeAsync(Call), static size => size is null ? ErrorCode.NotLeaderOrFollower : ErrorCode.None, static _ => (long?)null);

    /// <summary>What may be asked twice: a leader that did not answer is to the client one that it should look for again.</summary>
    private async ValueTask<T> AskAsync<T>(Task<T> call, Func<T, ErrorCode> errorOf, Func<ErrorCode, T> failed)
    {
        try
        {
            var answer = await call;
            _failed |= errorOf(answer) == ErrorCode.NotLeaderOrFollower;
            return answer;
        }
        catch (PeerLostException)
        {
            _failed = true;
            return failed(ErrorCode.NotLeaderOrFollower);
        }
    }
}
