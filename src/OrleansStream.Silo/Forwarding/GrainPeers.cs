using System.Buffers;
using System.Collections.Concurrent;
using Orleans.Runtime;
using Orleans.Runtime.Services;
using OrleansStream.Broker.Forwarding;
using OrleansStream.Broker.Partitions;
using OrleansStream.Grains;
using OrleansStream.Protocol;
using OrleansStream.Silo.Cluster;

namespace OrleansStream.Silo.Forwarding;

/// <summary>Makes references to the services of other silos.</summary>
internal sealed class ForwardingClient(IServiceProvider services) : GrainServiceClient<IForwardingService>(services)
{
    public IForwardingService In(SiloAddress silo) => GetGrainService(silo);
}

/// <summary>The other brokers, reached by grain calls to the services of their silos.</summary>
internal sealed class GrainPeers(ForwardingClient client, ClusterKnowledge knowledge) : IPeers
{
    private readonly ConcurrentDictionary<int, GrainPeer> _peers = new();

    public IPeerBroker Of(int nodeId) => _peers.GetOrAdd(nodeId, static (id, by) => new GrainPeer(id, by.client, by.knowledge), (client, knowledge));
}

/// <summary>One other broker, in whichever silo has its node id now.</summary>
internal sealed class GrainPeer(int nodeId, ForwardingClient client, ClusterKnowledge knowledge) : IPeerBroker
{
    private (SiloAddress Silo, IForwardingService Service)? _last;
    private readonly Lock _lock = new();

    public Task<AppendResult> AppendAsync(PeerCall call, CallOrder order, ReadOnlyMemory<byte> records, Acks acks, short produceVersion) => AskAsync(
        service => service.AppendAsync(Info(call), Info(order), records, (short)acks, produceVersion),
        static a => new AppendResult(
            (ErrorCode)a.ErrorCode, a.BaseOffset, a.LogAppendTimeMs, a.LogStartOffset, a.Message,
            a.RecordErrors is { } errors ? [.. errors.Select(static e => (e.BatchIndex, e.Message))] : null));

    public Task<PartitionRead> ReadAsync(PeerCall call, PartitionReadRequest wish) => AskAsync(
        service => service.ReadAsync(Info(call), new PartitionReadWish(
            wish.Offset, wish.MaxBytes, wish.AtLeastOne, wish.Isolation == IsolationLevel.ReadCommitted, wish.CurrentLeaderEpoch, wish.LastFetchedEpoch)),
        static r => new PartitionRead((ErrorCode)r.ErrorCode, r.HighWatermark, r.LastStableOffset, r.LogStartOffset, new ReadOnlySequence<byte>(r.Batches))
        {
            Diverging = r.DivergingEpoch >= 0 ? (r.DivergingEpoch, r.DivergingEndOffset) : null,
        });

    public Task<Watermarks> WaitAsync(PeerCall call, long known, TimeSpan atMost) => AskAsync(
        service => service.WaitAsync(Info(call), known, atMost),
        static w => new Watermarks((ErrorCode)w.ErrorCode, w.HighWatermark, w.LastStableOffset, w.LogStartOffset));

    public Task<OffsetLookup> ListOffsetAsync(PeerCall call, long timestamp, IsolationLevel isolation, int currentLeaderEpoch) => AskAsync(
        service => service.ListOffsetAsync(Info(call), timestamp, isolation == IsolationLevel.ReadCommitted, currentLeaderEpoch),
        static o => new OffsetLookup((ErrorCode)o.ErrorCode, o.Timestamp, o.Offset, o.LeaderEpoch));

    public Task<EpochEnd> EndOffsetForEpochAsync(PeerCall call, int currentLeaderEpoch, int leaderEpoch) => AskAsync(
        service => service.EndOffsetForEpochAsync(Info(call), currentLeaderEpoch, leaderEpoch),
        static o => new EpochEnd((ErrorCode)o.ErrorCode, o.LeaderEpoch, o.Offset));

    public Task<DeletedRecords> DeleteRecordsAsync(PeerCall call, long offset) => AskAsync(
        service => service.DeleteRecordsAsync(Info(call), offset), static o => new DeletedRecords((ErrorCode)o.ErrorCode, o.Offset));

    public Task<ActiveProducers> DescribeProducersAsync(PeerCall call) => AskAsync(
        service => service.DescribeProducersAsync(Info(call)),
        static p => new ActiveProducers(
            (ErrorCode)p.ErrorCode, [.. p.Producers.Select(static a => new ActiveProducer(a.ProducerId, a.Epoch, a.LastSequence, a.LastTimestampMs))]));

    public Task<long?> SizeAsync(PeerCall call) => AskAsync(service => service.SizeAsync(Info(call)), static bytes => bytes < 0 ? (long?)null : bytes);

    public Task<ReadOnlyMemory<byte>> AskGroupAsync(GroupCall call)
    {
        var info = new GroupCallInfo(
            (short)call.Api, call.AssignmentVersion, call.Client.Version, call.Client.ClientId ?? "", call.Client.ClientHost ?? "",
            call.Order is { } order ? Info(order) : null, call.Message, [.. call.TopicIds]);
        bool waits = call.Api is ApiKey.JoinGroup or ApiKey.SyncGroup;
        return AskAsync(service => waits ? service.AwaitGroupAsync(info) : service.AskGroupAsync(info), static answer => answer);
    }

    private async Task<TResult> AskAsync<TAnswer, TResult>(Func<IForwardingService, Task<TAnswer>> ask, Func<TAnswer, TResult> read)
    {
        try
        {
            return read(await ask(Service()).ConfigureAwait(false));
        }
        catch (Exception e)
        {
            // Whatever Orleans throws for a silo that died or hangs, a message that was lost, a call that took too long.
            throw new PeerLostException($"Broker {nodeId} did not answer: {e.Message}", e);
        }
    }

    private IForwardingService Service()
    {
        SiloAddress silo = knowledge.SiloOf(nodeId) ?? throw new PeerLostException("no living silo has the node id");
        lock (_lock)
        {
            if (_last is not { } last || !last.Silo.Equals(silo))
                _last = last = (silo, client.In(silo));
            return last.Service;
        }
    }

    private static PeerCallInfo Info(PeerCall call) => new(call.Partition.TopicId, call.Partition.Index, call.AssignmentVersion);

    private static CallOrderInfo Info(CallOrder order) => new(order.Stream, order.Generation, order.Number);
}
