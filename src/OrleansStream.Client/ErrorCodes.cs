namespace OrleansStream.Client;

/// <summary>What a client does about an error.</summary>
internal static class ErrorCodes
{
    /// <summary>Whether the same call may succeed later: Kafka's RetriableException, as far as topics, partitions and groups give it.</summary>
    public static bool IsRetriable(this ErrorCode error) => error is
        ErrorCode.CorruptMessage or ErrorCode.UnknownTopicOrPartition or ErrorCode.UnknownTopicId or ErrorCode.LeaderNotAvailable
        or ErrorCode.NotLeaderOrFollower or ErrorCode.RequestTimedOut or ErrorCode.NetworkException or ErrorCode.NotController
        or ErrorCode.NotEnoughReplicas or ErrorCode.NotEnoughReplicasAfterAppend or ErrorCode.KafkaStorageError or ErrorCode.FencedLeaderEpoch
        or ErrorCode.UnknownLeaderEpoch or ErrorCode.OffsetNotAvailable or ErrorCode.ThrottlingQuotaExceeded
        or ErrorCode.NotCoordinator or ErrorCode.CoordinatorNotAvailable or ErrorCode.CoordinatorLoadInProgress;

    /// <summary>Whether what is known of the topic may be old.</summary>
    public static bool IsOfTopic(this ErrorCode error) => error is ErrorCode.UnknownTopicOrPartition or ErrorCode.UnknownTopicId;
}
