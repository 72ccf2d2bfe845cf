using OrleansStream.Broker.Groups.Classic;
using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Broker.Groups.Offsets;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages.Coordinators;

namespace OrleansStream.Broker.Groups.Runtime;

/// <summary>The groups and offsets of one partition of __consumer_offsets. What lasts of it is changed by <see cref="Replay"/> and by nothing else.</summary>
internal sealed class ShardState
{
    private readonly GroupShard _shard;
    private readonly Dictionary<string, Group> _groups = new(StringComparer.Ordinal);
    private readonly ConsumerReplay _consumers;

    public ShardState(GroupShard shard)
    {
        _shard = shard;
        _consumers = new ConsumerReplay(shard, _groups);
    }

    public OffsetStore Offsets { get; } = new();
    public IReadOnlyCollection<Group> Groups => _groups.Values;

    public Group? Find(string groupId) => _groups.GetValueOrDefault(groupId);

    /// <summary>The group; throws GROUP_ID_NOT_FOUND.</summary>
    public Group Get(string groupId) => Find(groupId) ?? throw new GroupException(ErrorCode.GroupIdNotFound, $"Group {groupId} not found.");

    public void Replay(in CoordinatorRecord record)
    {
        switch (record.Key)
        {
            case OffsetCommitKey key:
                Replay(key.Group, key.Topic, key.Partition, record.Value is OffsetCommitValue value ? CommittedOffset.From(value) : null);
                break;
            case LegacyOffsetCommitKey key:
                Replay(key.Group, key.Topic, key.Partition, CommittedOffset.FromLegacy(record.Value));
                break;
            case GroupMetadataKey key:
                ReplayClassic(key.Group, (GroupMetadataValue?)record.Value);
                break;
            default:
                _consumers.Replay(record);
                break;
        }
    }

    private void Replay(string group, string topic, int partition, CommittedOffset? offset)
    {
        if (offset is { } committed)
        {
            // Offsets without a group: a consumer that does without membership, in Kafka an empty group of the classic protocol.
            if (!_groups.ContainsKey(group))
                _groups[group] = new ClassicGroup(_shard, group);
            Offsets.Put(group, topic, partition, committed);
        }
        else
        {
            Offsets.Remove(group, topic, partition);
        }
    }

    private void ReplayClassic(string id, GroupMetadataValue? value)
    {
        if (value is null)
        {
            if (_groups.TryGetValue(id, out var gone) && gone is ClassicGroup removed)
            {
                removed.CancelTimers();
                _groups.Remove(id);
            }
            return;
        }
        if (!_groups.TryGetValue(id, out var there) || there is not ClassicGroup classic)
            _groups[id] = classic = new ClassicGroup(_shard, id);
        classic.Replay(value);
    }

    /// <summary>Everything is loaded: timers begin.</summary>
    public void Loaded()
    {
        foreach (var group in _groups.Values.ToList())
            group.Loaded();
    }
}
