using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages.Coordinators;

namespace OrleansStream.Broker.Groups.Offsets;

/// <summary>A committed offset (OffsetCommitValue).</summary>
/// <param name="LeaderEpoch">The leader epoch of the last record that was consumed; -1 for unknown.</param>
/// <param name="CommitTimestamp">Unix time in milliseconds.</param>
/// <param name="ExpireTimestamp">When it ends by the wish of an old client (retention time of OffsetCommit 2 to 4), in Unix milliseconds; -1 for none.</param>
/// <param name="TopicId">The topic's id when the offset was committed; empty for unknown.</param>
internal readonly record struct CommittedOffset(
    long Offset, int LeaderEpoch, string Metadata, long CommitTimestamp, long ExpireTimestamp, Guid TopicId)
{
    /// <summary>The version in which Kafka 4.3 writes a value, and the last one that has an expire timestamp.</summary>
    private const short Version = 4;
    private const short ExpiringVersion = 1;

    public short ValueVersion => ExpireTimestamp >= 0 ? ExpiringVersion : Version;

    public static CommittedOffset From(OffsetCommitValue value) =>
        new(value.Offset, value.LeaderEpoch, value.Metadata, value.CommitTimestamp, value.ExpireTimestamp, value.TopicId);

    public static CommittedOffset? FromLegacy(IMessage? value) => value is LegacyOffsetCommitValue legacy
        ? new CommittedOffset(legacy.Offset, -1, legacy.Metadata, legacy.CommitTimestamp, -1, Guid.Empty)
        : null;

    public OffsetCommitValue ToValue() => new()
    {
        Offset = Offset,
        LeaderEpoch = LeaderEpoch,
        Metadata = Metadata,
        CommitTimestamp = CommitTimestamp,
        ExpireTimestamp = ExpireTimestamp,
        TopicId = TopicId,
    };

    /// <summary>Whether it belongs to another topic of the same name, one that was there before (KIP-848, OffsetFetch 10).</summary>
    public bool IsOfAnother(Guid topicId) => TopicId != Guid.Empty && topicId != Guid.Empty && TopicId != topicId;
}
