using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>
/// A group of the consumer protocol (KIP-848): its members and what they own, what they shall own (the target assignment), and the epochs of both. What
/// lasts is changed by replaying records only; the methods that do so are called by <see cref="ConsumerReplay"/>.
/// </summary>
internal sealed class ConsumerGroup : Group
{
    /// <summary>OffsetCommit from this version on carries a member epoch.</summary>
    private const short CarriesMemberEpoch = 9;

    private readonly GroupShard _shard;
    private readonly Dictionary<string, ConsumerMember> _members = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _static = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PartitionSet> _targets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ResolvedRegex> _regexes = new(StringComparer.Ordinal);
    private readonly Dictionary<(Guid Topic, int Partition), int> _holders = [];

    public ConsumerGroup(GroupShard shard, string id) : base(id)
    {
        _shard = shard;
        Timers = new ConsumerTimers(shard, (member, deadline) => shard.Consumers.TimeOver(this, member, deadline));
    }

    public override GroupType Type => GroupType.Consumer;
    public override string ProtocolTypeName => ConsumerProtocol.Type;
    public override bool IsEmpty => _members.Count == 0;

    public override string StateName
    {
        get
        {
            if (IsEmpty)
                return "Empty";
            if (Epoch > TargetEpoch)
                return "Assigning";
            return _members.Values.All(m => m.IsReconciledTo(TargetEpoch)) ? "Stable" : "Reconciling";
        }
    }

    /// <summary>
    /// Counts what asks for another assignment: members and subscriptions that change, topics that grow. It begins with 1 as in Kafka, ahead of the target
    /// assignment's, so that the first member has one made even if it subscribes to nothing.
    /// </summary>
    public int Epoch { get; private set; } = 1;

    /// <summary>What the topics that the group reads looked like in this epoch.</summary>
    public long MetadataHash { get; private set; }

    /// <summary>The group epoch for which the target assignment was made.</summary>
    public int TargetEpoch { get; private set; }

    /// <summary>When the target assignment was made, in Unix milliseconds; 0 for unknown.</summary>
    public long TargetTimestampMs { get; private set; }

    /// <summary>Whether there is a record of the kind that <see cref="MetadataHash"/> replaced (KIP-1101).</summary>
    public bool HasPartitionMetadata { get; set; }

    public IReadOnlyDictionary<string, ConsumerMember> Members => _members;

    /// <summary>What the regular expressions of the members match.</summary>
    public IReadOnlyDictionary<string, ResolvedRegex> Regexes => _regexes;

    public ConsumerTimers Timers { get; }

    /// <summary>The cluster as it was when the topics of this group were last looked at; null for never. Not durable.</summary>
    public ClusterPicture? SeenCluster { get; set; }

    /// <summary>The same for regular expressions, with the time (see <see cref="GroupShard.MonotonicMs"/>).</summary>
    public (ClusterPicture? Cluster, long AtMs) SeenByRegexes { get; set; }

    public ConsumerMember? Find(string memberId) => _members.GetValueOrDefault(memberId);

    /// <summary>Throws UNKNOWN_MEMBER_ID.</summary>
    public ConsumerMember Get(string memberId) =>
        Find(memberId) ?? throw new GroupException(ErrorCode.UnknownMemberId, $"Member {memberId} is not a member of group {Id}.");

    public ConsumerMember? FindStatic(string? instanceId) => instanceId is not null && _static.TryGetValue(instanceId, out var id) ? Find(id) : null;

    public PartitionSet TargetOf(string memberId) => _targets.GetValueOrDefault(memberId, PartitionSet.Empty);

    /// <summary>Whether any member holds the partition: has it, or has still to give it up.</summary>
    public bool IsHeld(Guid topic, int partition) => _holders.ContainsKey((topic, partition));

    /// <summary>Whether what this member waits for is still held by others.</summary>
    public bool WaitsForOthers(ConsumerMember member) =>
        member.State == MemberState.UnreleasedPartitions
        && TargetOf(member.Id).Topics.Any(t => t.Value.Any(p => !member.Assigned.Contains(t.Key, p) && IsHeld(t.Key, p)));

    /// <summary>The assignor that most members ask for, of equals the first by name; null where nobody asks for one.</summary>
    public static string? PreferredAssignor(IEnumerable<ConsumerMember> members) => members
        .Where(m => m.ServerAssignor is not null).GroupBy(m => m.ServerAssignor!, StringComparer.Ordinal)
        .OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;

    public override void CheckOffsetCommit(string memberId, string? instanceId, int generation, short version)
    {
        // An administrator, or a consumer that assigns partitions to itself.
        if (generation < 0 && IsEmpty)
            return;
        var member = Get(memberId);
        if (!member.IsClassic && version < CarriesMemberEpoch)
            throw new GroupException(ErrorCode.UnsupportedVersion);
        if (generation > member.Epoch)
            throw WrongEpoch(member, $"does not match the expected member epoch {member.Epoch}", generation);
    }

    /// <summary>
    /// A commit of an earlier epoch counts for what the member has had since then (KIP-1251): it was on its way while the member moved on.
    /// </summary>
    public override void CheckCommittedPartition(string memberId, int generation, string topic, Guid topicId, int partition)
    {
        if (Find(memberId) is not { } member || generation >= member.Epoch)
            return;
        if ((member.Assigned.AssignmentEpoch(topicId, partition) ?? member.Revoking.AssignmentEpoch(topicId, partition)) is not { } assigned)
            throw WrongEpoch(member, $"owns no partition {topic}-{partition}", generation);
        if (generation < assigned)
            throw WrongEpoch(member, $"is older than assignment epoch {assigned} of partition {topic}-{partition}", generation);
    }

    private static GroupException WrongEpoch(ConsumerMember member, string what, int received) => new(
        member.IsClassic ? ErrorCode.IllegalGeneration : ErrorCode.StaleMemberEpoch, $"The received epoch {received} of member {member.Id} {what}.");

    public override void CheckOffsetFetch(string? memberId, int memberEpoch)
    {
        if (memberId is null && memberEpoch < 0)
            return;
        var member = Get(memberId ?? "");
        if (memberEpoch != member.Epoch)
            throw WrongEpoch(member, $"does not match the expected member epoch {member.Epoch}", memberEpoch);
    }

    public override void CheckOffsetDelete() { }

    public override void CheckDelete()
    {
        if (!IsEmpty)
            throw new GroupException(ErrorCode.NonEmptyGroup);
    }

    public override bool IsSubscribedTo(string topic) => _members.Values.Any(m =>
        m.TopicNames.Contains(topic, StringComparer.Ordinal)
        || (_regexes.TryGetValue(m.TopicRegex, out var regex) && regex.Topics.Contains(topic, StringComparer.Ordinal)));

    public override long? UnusedSince(long commitTimestamp) => commitTimestamp;

    public override void WriteTombstones(IRecordSink records)
    {
        var members = _members.Keys.ToList();
        foreach (var member in members)
            records.Write(ConsumerRecords.AssignmentTombstone(Id, member));
        foreach (var member in members.Union(_targets.Keys).ToList())
            records.Write(ConsumerRecords.TargetTombstone(Id, member));
        records.Write(ConsumerRecords.TargetEpochTombstone(Id));
        foreach (var member in members)
            records.Write(ConsumerRecords.MemberTombstone(Id, member));
        foreach (var regex in _regexes.Keys.ToList())
            records.Write(ConsumerRecords.RegexTombstone(Id, regex));
        if (HasPartitionMetadata)
            records.Write(ConsumerRecords.PartitionMetadataTombstone(Id));
        records.Write(ConsumerRecords.GroupEpochTombstone(Id));
    }

    public override void Loaded()
    {
        foreach (var member in _members.Values)
        {
            Heard(member);
            if (member.State == MemberState.UnrevokedPartitions && !member.IsClassic)
                Timers.Set(member.Id, MemberDeadline.Rebalance, member.RebalanceTimeoutMs);
        }
    }

    /// <summary>The member is alive: its session begins anew.</summary>
    public void Heard(ConsumerMember member) =>
        Timers.Set(member.Id, MemberDeadline.Session, member.Classic?.SessionTimeoutMs ?? _shard.GroupConfigs.SessionTimeoutMs(Id));

    public void SetEpoch(int epoch, long metadataHash) => (Epoch, MetadataHash) = (epoch, metadataHash);

    public void SetTargetEpoch(int epoch, long timestampMs) => (TargetEpoch, TargetTimestampMs) = (epoch, timestampMs);

    /// <param name="target">Null: the member has no target any more.</param>
    public void SetTarget(string memberId, PartitionSet? target)
    {
        if (target is null)
            _targets.Remove(memberId);
        else
            _targets[memberId] = target;
    }

    /// <param name="resolved">Null: nobody subscribes with it any more.</param>
    public void SetRegex(string pattern, ResolvedRegex? resolved)
    {
        if (resolved is null)
            _regexes.Remove(pattern);
        else
            _regexes[pattern] = resolved;
    }

    public void Put(ConsumerMember member)
    {
        if (_members.TryGetValue(member.Id, out var before))
            Release(before);
        _members[member.Id] = member;
        foreach (var (topic, partition, _) in member.Assigned.All().Concat(member.Revoking.All()))
            _holders[(topic, partition)] = _holders.GetValueOrDefault((topic, partition)) + 1;
        if (member.InstanceId is not null)
            _static[member.InstanceId] = member.Id;
    }

    public void Remove(string memberId)
    {
        if (!_members.Remove(memberId, out var member))
            return;
        Release(member);
        if (member.InstanceId is not null && _static.GetValueOrDefault(member.InstanceId) == memberId)
            _static.Remove(member.InstanceId);
        Timers.CancelAll(memberId);
    }

    // Counted, because a log that is compacted by halves may show a partition's next holder before its last one lets go.
    private void Release(ConsumerMember member)
    {
        foreach (var (topic, partition, _) in member.Assigned.All().Concat(member.Revoking.All()))
        {
            var holders = _holders[(topic, partition)] - 1;
            if (holders == 0)
                _holders.Remove((topic, partition));
            else
                _holders[(topic, partition)] = holders;
        }
    }
}
