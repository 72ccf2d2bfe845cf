using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>ListOffsets: the offset for a timestamp, or for one of the specials (earliest, latest, max timestamp, those of tiered storage).</summary>
internal sealed class ListOffsetsHandler : ApiHandler<ListOffsetsRequest>
{
    protected override async ValueTask<Answer> AnswerAsync(ListOffsetsRequest request, RequestContext context)
    {
        HashSet<(string, int)>? repeated = Repeated(request);
        var response = new ListOffsetsResponse();
        foreach (ListOffsetsRequest.ListOffsetsTopic topic in request.Topics)
        {
            var answered = new ListOffsetsResponse.ListOffsetsTopicResponse { Name = topic.Name };
            foreach (ListOffsetsRequest.ListOffsetsPartition partition in topic.Partitions.DistinctBy(static p => p.PartitionIndex))
            {
                OffsetLookup found = repeated?.Contains((topic.Name, partition.PartitionIndex)) == true
                    ? new OffsetLookup(ErrorCode.InvalidRequest)
                    : await LookUpAsync(topic.Name, partition, request, context);
                answered.Partitions.Add(new()
                {
                    PartitionIndex = partition.PartitionIndex,
                    ErrorCode = context.Report(found.Error),
                    Timestamp = found.Timestamp,
                    Offset = found.Offset,
                    LeaderEpoch = context.Version >= 4 ? found.LeaderEpoch : -1,
                });
            }
            response.Topics.Add(answered);
        }
        return Answer.Of(response);
    }

    private static async ValueTask<OffsetLookup> LookUpAsync(
        string topic, ListOffsetsRequest.ListOffsetsPartition asked, ListOffsetsRequest request, RequestContext context)
    {
        if (asked.Timestamp < LowestTimestamp(context.Version))
            return new OffsetLookup(ErrorCode.UnsupportedVersion);
        PartitionLease lease = await context.LeaseAsync(topic, asked.PartitionIndex);
        if (lease.Partition is not { } partition)
            return new OffsetLookup(lease.Error);
        return await partition.ListOffsetAsync(asked.Timestamp, (IsolationLevel)request.IsolationLevel, asked.CurrentLeaderEpoch, context.Cancel);
    }

    // -3 max timestamp (KIP-734), -4 earliest local (KIP-405), -5 latest tiered (KIP-1005), -6 earliest pending upload (KIP-1023).
    private static long LowestTimestamp(short version) => version switch
    {
        >= 11 => -6,
        >= 9 => -5,
        8 => -4,
        7 => -3,
        _ => -2,
    };

    private static HashSet<(string, int)>? Repeated(ListOffsetsRequest request)
    {
        var seen = new HashSet<(string, int)>();
        HashSet<(string, int)>? repeated = null;
        foreach (ListOffsetsRequest.ListOffsetsTopic topic in request.Topics)
        {
            foreach (ListOffsetsRequest.ListOffsetsPartition partition in topic.Partitions)
            {
                if (!seen.Add((topic.Name, partition.PartitionIndex)))
                    (repeated ??= []).Add((topic.Name, partition.PartitionIndex));
            }
        }
        return repeated;
    }
}
