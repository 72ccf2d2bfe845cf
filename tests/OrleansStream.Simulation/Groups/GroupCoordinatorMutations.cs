using System.Runtime.CompilerServices;
using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Simulation;

/// <summary>Looks show commits that are under way: what a crash may take back was seen.</summary>
internal sealed class ShowsWhatIsNotDurable : Mutation
{
    private readonly ConditionalWeakTable<IGroupCoordinator, List<(string Group, int Partition, long Offset)>> _underWay = [];

    public override IGroupCoordinator Groups(IGroupCoordinator groups) => new Showing(groups, _underWay.GetValue(groups, static _ => []));

    private sealed class Showing(IGroupCoordinator inner, List<(string Group, int Partition, long Offset)> underWay) : MutatedGroups(inner)
    {
        public override async ValueTask<Task<OffsetCommitResponse>> BeginCommitAsync(GroupClient client, OffsetCommitRequest request)
        {
            var partition = request.Topics[0].Partitions[0];
            var commit = (request.GroupId, partition.PartitionIndex, partition.CommittedOffset);
            underWay.Add(commit);
            return EndAsync(await Inner.BeginCommitAsync(client, request));

            async Task<OffsetCommitResponse> EndAsync(Task<OffsetCommitResponse> answer)
            {
                var response = await answer;
                underWay.Remove(commit);
                return response;
            }
        }

        public override async ValueTask<OffsetFetchResponse.OffsetFetchResponseGroup> FetchOffsetsAsync(
            OffsetFetchRequest.OffsetFetchRequestGroup group, bool requireStable)
        {
            var response = await Inner.FetchOffsetsAsync(group, requireStable);
            foreach (var shown in response.Topics.SelectMany(t => t.Partitions))
            {
                shown.CommittedOffset = underWay.Where(c => c.Group == group.GroupId && c.Partition == shown.PartitionIndex)
                    .Select(c => c.Offset).Append(shown.CommittedOffset).Max();
            }

            return response;
        }
    }
}

/// <summary>What one member of a group is given, the next is given as well.</summary>
internal sealed class GivesPartitionsTwice : Mutation
{
    private ConsumerGroupHeartbeatResponse.AssignmentData? _last;

    public override IGroupCoordinator Groups(IGroupCoordinator groups) => new Giving(groups, this);

    private sealed class Giving(IGroupCoordinator inner, GivesPartitionsTwice defect) : MutatedGroups(inner)
    {
        public override async ValueTask<ConsumerGroupHeartbeatResponse> HeartbeatAsync(GroupClient client, ConsumerGroupHeartbeatRequest request)
        {
            var response = await Inner.HeartbeatAsync(client, request);
            if (response.Assignment is { } own)
            {
                (response.Assignment, defect._last) = (defect._last ?? own, own);
            }

            return response;
        }
    }
}

/// <summary>A commit counts in whatever generation it is sent, once the group has come to a later one.</summary>
internal sealed class TakesCommitsOfEarlierGenerations : Mutation
{
    private readonly ConditionalWeakTable<IGroupCoordinator, Dictionary<string, int>> _generations = [];

    public override IGroupCoordinator Groups(IGroupCoordinator groups) => new Taking(groups, _generations.GetValue(groups, static _ => []));

    private sealed class Taking(IGroupCoordinator inner, Dictionary<string, int> generations) : MutatedGroups(inner)
    {
        public override async ValueTask<SyncGroupResponse> SyncAsync(GroupClient client, SyncGroupRequest request)
        {
            var response = await Inner.SyncAsync(client, request);
            if (response.ErrorCode == 0)
            {
                generations[request.GroupId] = request.GenerationId;
            }

            return response;
        }

        public override async ValueTask<Task<OffsetCommitResponse>> BeginCommitAsync(GroupClient client, OffsetCommitRequest request)
        {
            return TakenAsync(await Inner.BeginCommitAsync(client, request));

            async Task<OffsetCommitResponse> TakenAsync(Task<OffsetCommitResponse> answer)
            {
                var response = await answer;
                var partition = response.Topics[0].Partitions[0];
                if ((ErrorCode)partition.ErrorCode is ErrorCode.UnknownMemberId or ErrorCode.IllegalGeneration
                    && request.GenerationIdOrMemberEpoch < generations.GetValueOrDefault(request.GroupId))
                {
                    partition.ErrorCode = 0;
                }

                return response;
            }
        }
    }
}

internal abstract class MutatedGroups(IGroupCoordinator inner) : IGroupCoordinator
{
    protected IGroupCoordinator Inner => inner;

    public virtual ValueTask<Task<OffsetCommitResponse>> BeginCommitAsync(GroupClient client, OffsetCommitRequest request) => inner.BeginCommitAsync(client, request);

    public virtual ValueTask<OffsetFetchResponse.OffsetFetchResponseGroup> FetchOffsetsAsync(OffsetFetchRequest.OffsetFetchRequestGroup group, bool requireStable) =>
        inner.FetchOffsetsAsync(group, requireStable);

    public virtual ValueTask<ConsumerGroupHeartbeatResponse> HeartbeatAsync(GroupClient client, ConsumerGroupHeartbeatRequest request) =>
        inner.HeartbeatAsync(client, request);

    public ValueTask<CoordinatorLookup> FindAsync(string groupId, ITopicAdmin topics, CancellationToken cancel) => inner.FindAsync(groupId, topics, cancel);
    public ValueTask<OffsetDeleteResponse> DeleteOffsetsAsync(OffsetDeleteRequest request) => inner.DeleteOffsetsAsync(request);
    public ValueTask<JoinGroupResponse> JoinAsync(GroupClient client, JoinGroupRequest request) => inner.JoinAsync(client, request);
    public virtual ValueTask<SyncGroupResponse> SyncAsync(GroupClient client, SyncGroupRequest request) => inner.SyncAsync(client, request);
    public ValueTask<HeartbeatResponse> HeartbeatAsync(GroupClient client, HeartbeatRequest request) => inner.HeartbeatAsync(client, request);
    public ValueTask<LeaveGroupResponse> LeaveAsync(GroupClient client, LeaveGroupRequest request) => inner.LeaveAsync(client, request);

    public ValueTask<IReadOnlyList<ConsumerGroupDescribeResponse.DescribedGroup>> DescribeConsumersAsync(IReadOnlyList<string> groups) =>
        inner.DescribeConsumersAsync(groups);

    public ValueTask<ListGroupsResponse> ListAsync(ListGroupsRequest request, CancellationToken cancel) => inner.ListAsync(request, cancel);

    public ValueTask<IReadOnlyList<DescribeGroupsResponse.DescribedGroup>> DescribeAsync(GroupClient client, IReadOnlyList<string> groups) =>
        inner.DescribeAsync(client, groups);

    public ValueTask<IReadOnlyList<DeleteGroupsResponse.DeletableGroupResult>> DeleteAsync(IReadOnlyList<string> groups) => inner.DeleteAsync(groups);
}
