using System.Buffers;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using OrleansStream.Broker.Forwarding;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Partitions;
using OrleansStream.Grains;
using OrleansStream.Protocol;
using OrleansStream.Silo.Hosting;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Forwarding;

/// <summary>
/// Answers other silos out of this silo's engine. On the thread pool: what comes in for all partitions would otherwise share the one turn of this service. The
/// order of appends is in their numbers.
/// </summary>
internal sealed class ForwardingService(GrainId id, global::Orleans.Runtime.Silo silo, ILoggerFactory logs, SiloEngine engine, RuntimePorts ports)
    : GrainService(id, silo, logs), IForwardingService
{
    private readonly Lazy<ForwardedRequests> _requests = new(() => new ForwardedRequests(engine.Engine, ports));

    private ForwardedRequests Requests => _requests.Value;

    public Task<PartitionAppend> AppendAsync(PeerCallInfo call, CallOrderInfo order, ReadOnlyMemory<byte> records, short acks, short produceVersion) => Task.Run(async () =>
    {
        AppendResult result = await Requests.AppendAsync(Call(call), new CallOrder(order.Stream, order.Generation, order.Number), records, (Acks)acks, produceVersion);
        return new PartitionAppend(
            (short)result.Error, result.BaseOffset, result.LogAppendTimeMs, result.LogStartOffset, result.ErrorMessage,
            result.RecordErrors is { } errors ? [.. errors.Select(static e => new AppendRecordError(e.BatchIndex, e.Message))] : null);
    });

    public Task<PartitionRecords> ReadAsync(PeerCallInfo call, PartitionReadWish wish) => Task.Run(async () =>
    {
        using PartitionRead read = await Requests.ReadAsync(Call(call), new PartitionReadRequest(
            wish.Offset, wish.MaxBytes, wish.AtLeastOne, Isolation(wish.CommittedOnly), wish.CurrentLeaderEpoch, wish.LastFetchedEpoch));
        return new PartitionRecords((short)read.Error, read.HighWatermark, read.LastStableOffset, read.LogStartOffset, read.Records.ToArray())
        {
            DivergingEpoch = read.Diverging?.Epoch ?? -1,
            DivergingEndOffset = read.Diverging?.EndOffset ?? -1,
        };
    });

    public Task<PeerWatermarks> WaitAsync(PeerCallInfo call, long known, TimeSpan atMost) => Task.Run(async () =>
    {
        Watermarks now = await Requests.WaitAsync(Call(call), known, atMost);
        return new PeerWatermarks((short)now.Error, now.HighWatermark, now.LastStableOffset, now.LogStartOffset);
    });

    public Task<PartitionOffset> ListOffsetAsync(PeerCallInfo call, long timestamp, bool committedOnly, int currentLeaderEpoch) => Task.Run(async () =>
    {
        OffsetLookup found = await Requests.ListOffsetAsync(Call(call), timestamp, Isolation(committedOnly), currentLeaderEpoch);
        return new PartitionOffset((short)found.Error, found.Offset, found.Timestamp, found.LeaderEpoch);
    });

    public Task<PartitionOffset> EndOffsetForEpochAsync(PeerCallInfo call, int currentLeaderEpoch, int leaderEpoch) => Task.Run(async () =>
    {
        EpochEnd end = await Requests.EndOffsetForEpochAsync(Call(call), currentLeaderEpoch, leaderEpoch);
        return new PartitionOffset((short)end.Error, end.EndOffset, -1, end.LeaderEpoch);
    });

    public Task<PartitionOffset> DeleteRecordsAsync(PeerCallInfo call, long offset) => Task.Run(async () =>
    {
        DeletedRecords deleted = await Requests.DeleteRecordsAsync(Call(call), offset);
        return new PartitionOffset((short)deleted.Error, deleted.LowWatermark);
    });

    public Task<PeerProducers> DescribeProducersAsync(PeerCallInfo call) => Task.Run(async () =>
    {
        ActiveProducers active = await Requests.DescribeProducersAsync(Call(call));
        return new PeerProducers(
            (short)active.Error, [.. active.Producers.Select(static p => new PeerProducer(p.ProducerId, p.Epoch, p.LastSequence, p.LastTimestampMs))]);
    });

    public Task<long> SizeAsync(PeerCallInfo call) => Task.Run(async () => await Requests.SizeAsync(Call(call)) ?? -1);

    public Task<ReadOnlyMemory<byte>> AskGroupAsync(GroupCallInfo call) => Task.Run(() => Requests.AskGroupAsync(new GroupCall(
        (ApiKey)call.Api, call.AssignmentVersion, new GroupClient(call.ClientVersion, call.ClientId, call.ClientHost),
        call.Order is { } order ? new CallOrder(order.Stream, order.Generation, order.Number) : null, call.Message, call.TopicIds)));

    public Task<ReadOnlyMemory<byte>> AwaitGroupAsync(GroupCallInfo call) => AskGroupAsync(call);

    private static PeerCall Call(PeerCallInfo call) => new(new PartitionId(call.TopicId, call.Index), call.AssignmentVersion);

    private static IsolationLevel Isolation(bool committedOnly) => committedOnly ? IsolationLevel.ReadCommitted : IsolationLevel.ReadUncommitted;
}
