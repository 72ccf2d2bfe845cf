using OrleansStream.Protocol;
using OrleansStream.Storage.Logs;

namespace OrleansStream.Broker.Partitions;

/// <summary>What a log's ends are called in Kafka.</summary>
internal static class LogErrors
{
    public static ErrorCode CodeOf(LogStatus status) => status switch
    {
        LogStatus.Ok => ErrorCode.None,
        LogStatus.NotLeader => ErrorCode.NotLeaderOrFollower,
        LogStatus.OutOfRange => ErrorCode.OffsetOutOfRange,
        // Retriable, and makes clients look for a new leader.
        _ => ErrorCode.KafkaStorageError,
    };
}
