using OrleansStream.Broker.Groups.Consumer.Assignors;
using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>
/// What one request of a member makes of its group (KIP-848): the member as it describes itself now, a new group epoch where that changes what the group
/// reads, a new target assignment where one is due, and the member's next step towards it. It only collects records; nothing has changed until
/// <see cref="Write"/>, so that a request can be refused at any point before.
/// </summary>
internal sealed class MemberUpdate(GroupShard shard, ConsumerGroup group)
{
    private static readonly Dictionary<string, IPartitionAssignor> Assignors =
        new IPartitionAssignor[] { new UniformAssignor(), new RangeAssignor() }.ToDictionary(a => a.Name, StringComparer.Ordinal);

    /// <summary>How long to wait before regular expressions are matched again because the cluster changed: that costs time for every topic there is.</summary>
    private const long RegexPauseMs = 1000;

    private readonly ClusterPicture _cluster = shard.Cluster;
    private readonly List<CoordinatorRecord> _records = [];
    private readonly List<Action> _after = [];
    private int _begun;
    private IReadOnlyDictionary<string, ResolvedRegex> _regexes = group.Regexes;
    private int _epoch = group.Epoch;
    private bool _subscriptionChanged;
    private ConsumerMember? _replaced;

    public ConsumerGroup Group => group;

    /// <summary>The group epoch with this request.</summary>
    public int Epoch => _epoch;

    /// <summary>Adds a record that comes before those of the steps to follow.</summary>
    public void Add(in CoordinatorRecord record) => _records.Add(record);

    public void Add(IEnumerable<CoordinatorRecord> records) => _records.AddRange(records);

    /// <summary>What was added so far stands for itself: the group has changed its protocol, whatever becomes of the request.</summary>
    public void Begin() => _begun = _records.Count;

    /// <summary>Something to do once the records are written: timers, mostly.</summary>
    public void After(Action action) => _after.Add(action);

    /// <summary>A static member comes back under another id: it takes over what the old one had, and begins in epoch 0.</summary>
    public ConsumerMember Replace(ConsumerMember old, string newId)
    {
        _replaced = old;
        var member = old with { Id = newId, Epoch = 0, PreviousEpoch = 0 };
        Add(ConsumerRecords.RemoveMember(group.Id, old.Id));
        Add(ConsumerRecords.Member(group.Id, member));
        Add(ConsumerRecords.Target(group.Id, newId, group.TargetOf(old.Id)));
        Add(ConsumerRecords.Assignment(group.Id, member));
        return member;
    }

    /// <summary>The member describes itself anew; where that changes what the group reads, or the topics have changed, the group gets another epoch.</summary>
    public void Subscribe(ConsumerMember before, ConsumerMember now)
    {
        var isNew = group.Find(now.Id) is null && _replaced is null;
        if (isNew || !now.SameMetadata(before))
            Add(ConsumerRecords.Member(group.Id, now));
        var regexChanged = now.TopicRegex != before.TopicRegex;
        _subscriptionChanged = regexChanged || !now.SameNames(before);
        // An expression that is new to the group, and matches nothing, changes nothing that the group reads.
        var bump = ResolveRegexes(now, regexChanged) || !now.SameNames(before) || (regexChanged && !MatchesNothingNew(before, now));

        var seen = _cluster;
        if (!bump && ReferenceEquals(group.SeenCluster, seen))
            return;
        var hash = new Subscriptions(_cluster, _regexes).MetadataHash(MembersWith(now));
        if (bump || hash != group.MetadataHash)
        {
            Add(ConsumerRecords.GroupEpoch(group.Id, ++_epoch, hash));
            if (group.HasPartitionMetadata)
                Add(ConsumerRecords.PartitionMetadataTombstone(group.Id));
        }
        After(() => Live.SeenCluster = seen);
    }

    /// <summary>Whether the member has changed its expression, and neither the one before nor the one now, which nobody had, matches any topic.</summary>
    private bool MatchesNothingNew(ConsumerMember before, ConsumerMember now) =>
        now.TopicRegex.Length > 0 && !group.Regexes.ContainsKey(now.TopicRegex)
        && !(group.Regexes.GetValueOrDefault(before.TopicRegex) is { Topics.Count: > 0 }) && _regexes[now.TopicRegex].Topics.Count == 0;

    /// <summary>The group as it is after the records are written: that of before, or the one that the records made.</summary>
    private ConsumerGroup Live => (ConsumerGroup)shard.State.Get(group.Id);

    private IEnumerable<ConsumerMember> MembersWith(ConsumerMember updated) =>
        group.Members.Values.Where(m => m.Id != updated.Id && m.Id != _replaced?.Id).Append(updated);

    /// <summary>Brings what regular expressions match up to date where that is due; true where a match has changed. Throws for what is no expression.</summary>
    private bool ResolveRegexes(ConsumerMember now, bool changed)
    {
        if (now.TopicRegex.Length == 0 && _regexes.Count == 0)
            return false;
        var (seen, at) = group.SeenByRegexes;
        var nowMs = shard.MonotonicMs;
        var stale = seen is null || (!ReferenceEquals(seen, _cluster) && nowMs - at >= RegexPauseMs)
            || nowMs - at >= shard.Settings.Consumer.RegexRefreshIntervalMs;
        if (!changed && !stale)
            return false;
        var inUse = MembersWith(now).Select(m => m.TopicRegex).Where(r => r.Length > 0).ToHashSet(StringComparer.Ordinal);
        var regexes = new Dictionary<string, ResolvedRegex>(_regexes, StringComparer.Ordinal);
        _regexes = regexes;
        var different = false;
        foreach (var unused in regexes.Keys.Where(r => !inUse.Contains(r)).ToList())
        {
            regexes.Remove(unused);
            Add(ConsumerRecords.RegexTombstone(group.Id, unused));
        }
        foreach (var pattern in inUse.Order(StringComparer.Ordinal))
        {
            var before = regexes.GetValueOrDefault(pattern);
            if (before is not null && !stale)
                continue;
            var resolved = Resolve(pattern);
            if (before is not null && before.SameTopics(resolved))
                continue;
            regexes[pattern] = resolved;
            different |= before is not null || resolved.Topics.Count > 0;
            // In front: if the names that match are too many for a record, the request is refused before it has changed anything.
            _records.Insert(_begun, ConsumerRecords.Regex(group.Id, pattern, resolved));
        }
        if (stale)
            After(() => Live.SeenByRegexes = (_cluster, nowMs));
        return different;
    }

    private ResolvedRegex Resolve(string pattern)
    {
        var regex = TopicRegex.Parse(pattern);
        return new ResolvedRegex([.. _cluster.TopicsByName.Keys.Where(regex.Matches).Order(StringComparer.Ordinal)], shard.NowMs);
    }

    /// <summary>
    /// Makes the target assignment of the group's epoch, if there is none and it is not too soon after the last one. Answers the epoch and the member's part
    /// of the target that counts now.
    /// </summary>
    public (int Epoch, PartitionSet Target) Assign(ConsumerMember now)
    {
        var interval = shard.GroupConfigs.AssignmentIntervalMs(group.Id);
        var tooSoon = group.TargetTimestampMs != 0 && shard.NowMs < group.TargetTimestampMs + interval;
        if (_epoch <= group.TargetEpoch || tooSoon)
            return (group.TargetEpoch, TargetBefore(now));
        var members = MembersWith(now).ToList();
        var subscriptions = new Subscriptions(_cluster, _regexes);
        var task = new AssignmentTask(
            [.. members.Select(m => new AssignorMember(m.Id, m.InstanceId, subscriptions.TopicsOf(m), TargetBefore(m)))], subscriptions.Partitions(members));
        var name = ConsumerGroup.PreferredAssignor(members) ?? shard.Settings.Consumer.Assignors[0];
        // A member may still ask for one that the operator has taken off the list since.
        var assignor = Assignors.GetValueOrDefault(name) ?? Assignors["uniform"];
        var targets = assignor.Assign(task);
        foreach (var member in members)
        {
            if (!targets[member.Id].Equals(TargetBefore(member)))
                Add(ConsumerRecords.Target(group.Id, member.Id, targets[member.Id]));
        }
        Add(ConsumerRecords.TargetEpoch(group.Id, _epoch, shard.NowMs));
        return (_epoch, targets[now.Id]);
    }

    private PartitionSet TargetBefore(ConsumerMember member) =>
        group.TargetOf(_replaced is not null && member.InstanceId == _replaced.InstanceId && group.Find(member.Id) is null ? _replaced.Id : member.Id);

    /// <summary>The member's next step towards its target. Throws for a member that has to begin anew.</summary>
    public ConsumerMember Reconcile(ConsumerMember now, (int Epoch, PartitionSet Target) target, PartitionSet? owned)
    {
        if (!_subscriptionChanged && now.IsReconciledTo(target.Epoch))
            return now;
        var topics = new Subscriptions(_cluster, _regexes).TopicsOf(now);
        var next = new Reconciliation(target.Epoch, target.Target, topics, _subscriptionChanged, group.IsHeld, owned).Next(now);
        if (next.SameAssignment(now))
            return now;
        Add(ConsumerRecords.Assignment(group.Id, next));
        // Classic members have deadlines of their own: to join and to sync.
        if (!next.IsClassic)
        {
            if (next.State == MemberState.UnrevokedPartitions)
                After(() => Live.Timers.Set(next.Id, MemberDeadline.Rebalance, next.RebalanceTimeoutMs));
            else
                After(() => Live.Timers.Cancel(next.Id, MemberDeadline.Rebalance));
        }
        return next;
    }

    /// <summary>Members go: what only they subscribed to is let go of, and the group gets another epoch.</summary>
    public void Remove(IReadOnlyCollection<ConsumerMember> gone)
    {
        foreach (var member in gone)
            Add(ConsumerRecords.RemoveMember(group.Id, member.Id));
        var left = group.Members.Values.Where(m => gone.All(g => g.Id != m.Id)).ToList();
        foreach (var unused in _regexes.Keys.Where(r => left.All(m => m.TopicRegex != r)))
            Add(ConsumerRecords.RegexTombstone(group.Id, unused));
        var hash = new Subscriptions(_cluster, _regexes).MetadataHash(left);
        Add(ConsumerRecords.GroupEpoch(group.Id, ++_epoch, hash));
    }

    /// <summary>It is decided.</summary>
    public void Write()
    {
        foreach (var record in _records)
            shard.Write(record);
        foreach (var action in _after)
            action();
    }
}
