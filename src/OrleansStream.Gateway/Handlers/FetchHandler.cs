using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Gateway.Fetching;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>Fetch: whole record batches of several partitions, straight from their memory; waits for min.bytes; sessions (KIP-227).</summary>
internal sealed class FetchHandler : ApiHandler<FetchRequest>
{
    private const sbyte ReadCommitted = 1;

    public override bool IsBrief => true;

    protected override async ValueTask<Answer> AnswerAsync(FetchRequest request, RequestContext context)
    {
        FetchTurn turn = context.Gateway.Sessions.Begin(request, context.Version);
        if (turn.Error != ErrorCode.None)
            return Answer.Of(new FetchResponse { ErrorCode = context.Report(turn.Error) });

        var pass = new FetchPass(turn, request, context);
        try
        {
            PartReading[] readings = await pass.RunAsync();
            return Describe(turn, readings, request, context);
        }
        catch
        {
            pass.ReleaseAll();
            throw;
        }
    }

    private static Answer Describe(FetchTurn turn, PartReading[] readings, FetchRequest request, RequestContext context)
    {
        var response = new FetchResponse();
        var holds = new List<IDisposable>(readings.Length);
        FetchResponse.FetchableTopicResponse? topic = null;
        foreach (PartReading reading in readings)
        {
            bool failed = reading.Error != ErrorCode.None;
            long highWatermark = failed ? -1 : reading.Read!.HighWatermark;
            long logStartOffset = failed ? -1 : reading.Read!.LogStartOffset;
            bool more = reading.Read?.Diverging is not null;
            if (reading.Read is { } hold)
                holds.Add(hold);
            if (!turn.Tell(reading.Part, reading.Error, highWatermark, logStartOffset, reading.Bytes > 0, more))
                continue;
            FetchKey key = reading.Part.Key;
            if (topic is null || topic.TopicId != key.TopicId || topic.Topic != key.Topic)
                response.Responses.Add(topic = new() { Topic = key.Topic, TopicId = key.TopicId });
            topic.Partitions.Add(Describe(reading, highWatermark, logStartOffset, request, response, context));
        }
        turn.Finish();
        if (context.Version >= 7)
            response.SessionId = turn.SessionId;
        return Answer.Of(response, holds);
    }

    private static FetchResponse.PartitionData Describe(
        PartReading reading, long highWatermark, long logStartOffset, FetchRequest request, FetchResponse response, RequestContext context)
    {
        bool failed = reading.Error != ErrorCode.None;
        var partition = new FetchResponse.PartitionData
        {
            PartitionIndex = reading.Part.Key.Partition,
            ErrorCode = context.Report(reading.Error),
            HighWatermark = highWatermark,
            LastStableOffset = failed ? -1 : reading.Read!.LastStableOffset,
            LogStartOffset = logStartOffset,
            Records = failed ? System.Buffers.ReadOnlySequence<byte>.Empty : reading.Read!.Records,
        };
        if (reading.Read is not null && request.IsolationLevel != ReadCommitted)
        {
            partition.AbortedTransactions = null;
        }
        else if (reading.Read?.AbortedTransactions is { } aborted)
        {
            foreach ((long producerId, long firstOffset) in aborted)
                partition.AbortedTransactions!.Add(new() { ProducerId = producerId, FirstOffset = firstOffset });
        }
        if (context.Version >= 12 && reading.Read?.Diverging is { } diverging)
            partition.DivergingEpoch = new() { Epoch = diverging.Epoch, EndOffset = diverging.EndOffset };
        if (context.Version >= 16 && reading.Error is ErrorCode.NotLeaderOrFollower or ErrorCode.FencedLeaderEpoch)
            NameLeader(partition, reading, response, context);
        return partition;
    }

    // KIP-951: the client learns the new leader without asking for metadata.
    private static void NameLeader(FetchResponse.PartitionData partition, PartReading reading, FetchResponse response, RequestContext context)
    {
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        // The newest picture: the leader may have changed while the request waited.
        PartitionPicture leader = cluster.LeaderOf(reading.Topic is { } topic ? cluster.TopicsById.GetValueOrDefault(topic.Id) : null, partition.PartitionIndex);
        partition.CurrentLeader = new() { LeaderId = leader.LeaderId, LeaderEpoch = leader.LeaderEpoch };
        if (cluster.EndpointOf(leader.LeaderId, context.Peer) is { } node && !response.NodeEndpoints.Exists(n => n.NodeId == leader.LeaderId))
            response.NodeEndpoints.Add(new() { NodeId = leader.LeaderId, Host = node.Address.Host, Port = node.Address.Port, Rack = node.Broker.Rack });
    }
}
