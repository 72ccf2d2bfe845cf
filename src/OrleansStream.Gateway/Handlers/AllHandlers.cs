using OrleansStream.Gateway.Dispatch;

namespace OrleansStream.Gateway.Handlers;

/// <summary>Every API that is served, one line each. What is not here is not advertised.</summary>
internal static class AllHandlers
{
    public static IReadOnlyList<ApiHandler> Make() =>
    [
        new ProduceHandler(),
        new FetchHandler(),
        new ListOffsetsHandler(),
        new MetadataHandler(),
        new OffsetCommitHandler(),
        new OffsetFetchHandler(),
        new FindCoordinatorHandler(),
        new JoinGroupHandler(),
        new HeartbeatHandler(),
        new LeaveGroupHandler(),
        new SyncGroupHandler(),
        new DescribeGroupsHandler(),
        new ListGroupsHandler(),
        new ApiVersionsHandler(),
        new CreateTopicsHandler(),
        new DeleteTopicsHandler(),
        new DeleteRecordsHandler(),
        new InitProducerIdHandler(),
        new OffsetForLeaderEpochHandler(),
        new DescribeConfigsHandler(),
        new AlterConfigsHandler(),
        new AlterReplicaLogDirsHandler(),
        new DescribeLogDirsHandler(),
        new CreatePartitionsHandler(),
        new DeleteGroupsHandler(),
        new ElectLeadersHandler(),
        new IncrementalAlterConfigsHandler(),
        new AlterPartitionReassignmentsHandler(),
        new ListPartitionReassignmentsHandler(),
        new OffsetDeleteHandler(),
        new DescribeClusterHandler(),
        new ConsumerGroupHeartbeatHandler(),
        new ConsumerGroupDescribeHandler(),
        new DescribeProducersHandler(),
        new ListConfigResourcesHandler(),
        new DescribeTopicPartitionsHandler(),
    ];
}
