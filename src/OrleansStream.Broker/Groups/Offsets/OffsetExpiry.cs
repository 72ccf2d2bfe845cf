using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Groups.Runtime;

namespace OrleansStream.Broker.Groups.Offsets;

/// <summary>
/// Every offsets.retention.check.interval.ms, offsets go that nobody has used for offsets.retention.minutes (KIP-211), and with the last of them the
/// group, where it has no members.
/// </summary>
internal sealed class OffsetExpiry
{
    private readonly GroupShard _shard;
    private readonly ShardTimer _timer;

    public OffsetExpiry(GroupShard shard)
    {
        _shard = shard;
        _timer = new ShardTimer(shard, Run);
    }

    public void Schedule() => _timer.Set(_shard.Settings.OffsetsRetentionCheckIntervalMs);

    private void Run()
    {
        var expired = 0;
        foreach (var group in _shard.State.Groups.ToList())
        {
            var gone = Expire(group, out var all);
            expired += gone;
            if (all && group.IsEmpty)
                group.WriteTombstones(_shard);
        }
        if (expired > 0)
            _shard.Log.LogInformation("{Count} offsets of {Partition} have expired.", expired, _shard.Partition.Id);
        Schedule();
    }

    private int Expire(Group group, out bool all)
    {
        var offsets = _shard.State.Offsets.Of(group.Id);
        all = true;
        if (offsets.Count == 0)
            return 0;
        var now = _shard.NowMs;
        var retention = _shard.Settings.OffsetsRetentionMs;
        List<(string, int)> expired = [];
        foreach (var (topic, partitions) in offsets)
        {
            var subscribed = group.IsSubscribedTo(topic);
            foreach (var (partition, offset) in partitions)
            {
                if (!subscribed && IsExpired(group, offset, now, retention))
                    expired.Add((topic, partition));
                else
                    all = false;
            }
        }
        foreach (var (topic, partition) in expired)
            _shard.Offsets.WriteTombstone(group.Id, topic, partition);
        return expired.Count;
    }

    private static bool IsExpired(Group group, in CommittedOffset offset, long now, long retention)
    {
        if (group.UnusedSince(offset.CommitTimestamp) is not { } since)
            return false;
        return offset.ExpireTimestamp >= 0 ? now >= offset.ExpireTimestamp : now - since >= retention;
    }
}
