using OrleansStream.Broker.Groups.Records;
using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages.Coordinators;

namespace OrleansStream.Broker.Groups.Classic;

/// <summary>Where a group of the classic protocol stands.</summary>
internal enum ClassicState
{
    /// <summary>No members; perhaps offsets.</summary>
    Empty,

    /// <summary>The members are asked to join anew, and those who have wait for the others.</summary>
    PreparingRebalance,

    /// <summary>All have joined; the leader works out who gets what.</summary>
    CompletingRebalance,

    /// <summary>Everybody can have its assignment.</summary>
    Stable,
}

/// <summary>
/// A group whose members work out the assignment themselves (KIP-62): its members, its generation and what it waits for. The rules by which it moves are in
/// <see cref="ClassicRebalance"/> and the requests' classes. In records are the generation, the leader, the members and their assignments, as they are when
/// the leader has spoken or the last member has gone.
/// </summary>
internal sealed class ClassicGroup : Group
{
    /// <summary>The protocol type of consumers; others (Connect's workers) use groups too.</summary>
    private const string ConsumerProtocolType = "consumer";

    private readonly GroupShard _shard;
    private readonly ClassicMembers _members = new();
    private readonly Dictionary<string, ShardTimer> _pending = new(StringComparer.Ordinal);
    private IReadOnlySet<string>? _subscribedTopics;
    private long _stateSince;

    public ClassicGroup(GroupShard shard, string id) : base(id)
    {
        _shard = shard;
        _stateSince = shard.NowMs;
        JoinTimer = new ShardTimer(shard, () => shard.Classic.Rebalance.JoinTimeOver(this));
        SyncTimer = new ShardTimer(shard, () => shard.Classic.Rebalance.SyncTimeOver(this));
    }

    public override GroupType Type => GroupType.Classic;
    public ClassicState State { get; private set; }
    public override string StateName => State.ToString();
    public override bool IsEmpty => State == ClassicState.Empty;

    /// <summary>Counts the rebalances.</summary>
    public int Generation { get; private set; }

    /// <summary>"consumer", or what else the members call themselves; null where nobody ever joined.</summary>
    public string? ProtocolType { get; private set; }
    public override string ProtocolTypeName => ProtocolType ?? "";

    /// <summary>What the members of this generation speak; null while there are none.</summary>
    public string? Protocol { get; private set; }

    public ClassicMembers Members => _members;

    /// <summary>When the next generation begins, whoever has joined by then.</summary>
    public ShardTimer JoinTimer { get; }

    /// <summary>When those go who have joined but did not ask for their assignment.</summary>
    public ShardTimer SyncTimer { get; }

    /// <summary>Members of this generation that have not asked for their assignment.</summary>
    public HashSet<string> AwaitedSyncs { get; } = new(StringComparer.Ordinal);

    /// <summary>The first rebalance waits a while for more members: what is left of that time in milliseconds, and whether somebody came since it began.</summary>
    public (bool Running, int RemainingMs, bool SomebodyCame) InitialDelay { get; set; }

    /// <summary>Ids that were given out and whose owners have not come back with them yet (KIP-394).</summary>
    public int PendingCount => _pending.Count;

    public bool IsPending(string memberId) => _pending.ContainsKey(memberId);

    public void AddPending(string memberId, int timeoutMs)
    {
        var timer = new ShardTimer(_shard, () => _shard.Classic.Rebalance.PendingTimeOver(this, memberId));
        _pending.Add(memberId, timer);
        timer.Set(timeoutMs);
    }

    public bool RemovePending(string memberId)
    {
        if (!_pending.Remove(memberId, out var timer))
            return false;
        timer.Cancel();
        return true;
    }

    public bool AllJoined => _members.AwaitingJoin == _members.Count && _pending.Count == 0;

    public bool UsesConsumerProtocol => ProtocolType == ConsumerProtocolType;

    /// <summary>Whether a member that offers these can be in the group with the others.</summary>
    public bool Accepts(string protocolType, IReadOnlyList<ClassicProtocol> protocols) => IsEmpty
        ? protocolType.Length > 0 && protocols.Count > 0
        : ProtocolType == protocolType && protocols.Any(p => _members.AllSpeak(p.Name));

    public ClassicMember Add(string id, string? instanceId, GroupClient client, string protocolType)
    {
        var member = NewMember(id, instanceId, client.ClientId, client.ClientHost);
        if (_members.Count == 0)
            ProtocolType = protocolType;
        _members.Add(member);
        return member;
    }

    private ClassicMember NewMember(string id, string? instanceId, string clientId, string clientHost)
    {
        ClassicMember? made = null;
        var session = new ShardTimer(_shard, () => _shard.Classic.Rebalance.SessionOver(this, made!));
        return made = new ClassicMember(id, instanceId, clientId, clientHost, session);
    }

    public void Remove(ClassicMember member)
    {
        member.Session.Cancel();
        AwaitedSyncs.Remove(member.Id);
        _members.Remove(member);
    }

    /// <summary>A static member comes back under another id: the new one is what the old one was. Who still waits under the old id is fenced.</summary>
    public ClassicMember Replace(ClassicMember old, string newId, GroupClient client)
    {
        old.Session.Cancel();
        AwaitedSyncs.Remove(old.Id);
        _members.Refuse(old, ErrorCode.FencedInstanceId);
        var member = NewMember(newId, old.InstanceId, client.ClientId, client.ClientHost);
        (member.RebalanceTimeoutMs, member.SessionTimeoutMs) = (old.RebalanceTimeoutMs, old.SessionTimeoutMs);
        (member.Protocols, member.Assignment) = (old.Protocols, old.Assignment);
        _members.Replace(old, member);
        return member;
    }

    public void MoveTo(ClassicState state)
    {
        State = state;
        _stateSince = _shard.NowMs;
    }

    /// <summary>All have joined who will: the next generation, which is empty where nobody did.</summary>
    public void BeginGeneration()
    {
        Generation++;
        AwaitedSyncs.Clear();
        Protocol = _members.Count > 0 ? _members.SelectProtocol() : null;
        _subscribedTopics = SubscribedTopics();
        MoveTo(_members.Count > 0 ? ClassicState.CompletingRebalance : ClassicState.Empty);
    }

    /// <summary>Throws UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID where somebody else has the instance id now.</summary>
    public ClassicMember Validate(string memberId, string? instanceId)
    {
        if (instanceId is not null)
        {
            var holder = _members.FindStatic(instanceId) ?? throw new GroupException(ErrorCode.UnknownMemberId);
            if (holder.Id != memberId)
                throw new GroupException(ErrorCode.FencedInstanceId);
        }
        return _members.Find(memberId) ?? throw new GroupException(ErrorCode.UnknownMemberId);
    }

    public override void CheckOffsetCommit(string memberId, string? instanceId, int generation, short version)
    {
        // Without a generation: an admin client, or a consumer that assigns partitions to itself.
        if (generation < 0 && IsEmpty)
            return;
        if (generation >= 0 || memberId.Length > 0 || instanceId is not null)
        {
            Validate(memberId, instanceId);
            if (generation != Generation)
                throw new GroupException(ErrorCode.IllegalGeneration);
        }
        else
        {
            throw new GroupException(ErrorCode.UnknownMemberId);
        }
        if (State == ClassicState.CompletingRebalance)
            throw new GroupException(ErrorCode.RebalanceInProgress);
    }

    public override void OffsetsCommitted(string memberId)
    {
        if (State is ClassicState.Stable or ClassicState.PreparingRebalance && _members.Find(memberId) is { } member)
            Heard(member);
    }

    public override void CheckOffsetFetch(string? memberId, int memberEpoch) { }

    public override void CheckOffsetDelete()
    {
        if (!IsEmpty && !UsesConsumerProtocol)
            throw new GroupException(ErrorCode.NonEmptyGroup);
    }

    public override void CheckDelete()
    {
        if (!IsEmpty)
            throw new GroupException(ErrorCode.NonEmptyGroup);
    }

    public override bool IsSubscribedTo(string topic) => _subscribedTopics?.Contains(topic) ?? UsesConsumerProtocol;

    public override long? UnusedSince(long commitTimestamp)
    {
        if (ProtocolType is null)
            return commitTimestamp;
        if (IsEmpty)
            return _stateSince >= 0 ? _stateSince : commitTimestamp;
        return UsesConsumerProtocol && _subscribedTopics is not null && State == ClassicState.Stable ? commitTimestamp : null;
    }

    /// <summary>The member is alive: its session begins anew.</summary>
    public void Heard(ClassicMember member) => member.Session.Set(member.SessionTimeoutMs);

    public override void WriteTombstones(IRecordSink records) => records.Write(CoordinatorRecord.Tombstone(new GroupMetadataKey { Group = Id }));

    public override void Loaded()
    {
        foreach (var member in _members.All)
            Heard(member);
        if (_members.Count > _shard.Settings.MaxSize)
            _shard.Classic.Rebalance.Prepare(this, "the group is larger than group.max.size allows");
    }

    /// <summary>No timer of this object falls due any more: the group was deleted, or is of another protocol now.</summary>
    public void CancelTimers()
    {
        JoinTimer.Cancel();
        SyncTimer.Cancel();
        foreach (var timer in _pending.Values)
            timer.Cancel();
        foreach (var member in _members.All)
            member.Session.Cancel();
    }

    /// <summary>What GroupMetadataValue says is so. Live, its members are here already and keep what the record does not have.</summary>
    public void Replay(GroupMetadataValue value)
    {
        Generation = value.Generation;
        ProtocolType = value.ProtocolType.Length > 0 ? value.ProtocolType : null;
        Protocol = value.Protocol;
        State = value.Members.Count > 0 ? ClassicState.Stable : ClassicState.Empty;
        _stateSince = value.CurrentStateTimestamp;
        var named = value.Members.Select(m => m.MemberId).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in _members.All.Where(m => !named.Contains(m.Id)).ToList())
            Remove(gone);
        foreach (var stored in value.Members)
            Replay(stored);
        _members.Lead(value.Leader);
        _subscribedTopics = SubscribedTopics();
    }

    private void Replay(GroupMetadataValue.MemberMetadata stored)
    {
        var member = _members.Find(stored.MemberId);
        if (member is null)
            _members.Add(member = NewMember(stored.MemberId, stored.GroupInstanceId, stored.ClientId, stored.ClientHost));
        member.SessionTimeoutMs = stored.SessionTimeout;
        member.RebalanceTimeoutMs = stored.RebalanceTimeout >= 0 ? stored.RebalanceTimeout : stored.SessionTimeout;
        member.Assignment = stored.Assignment;
        if (member.MetadataOf(Protocol) is not { } known || !known.AsSpan().SequenceEqual(stored.Subscription))
            _members.SetProtocols(member, [new ClassicProtocol(Protocol ?? "", stored.Subscription)]);
    }

    /// <summary>Writes the group as it stands, with these assignments; members that are not named get an empty one.</summary>
    public void WriteMetadata(IRecordSink records, IReadOnlyDictionary<string, byte[]>? assignments = null)
    {
        var value = new GroupMetadataValue
        {
            ProtocolType = ProtocolTypeName,
            Generation = Generation,
            Protocol = Protocol,
            Leader = _members.Leader?.Id,
            CurrentStateTimestamp = _shard.NowMs,
        };
        foreach (var member in _members.All)
        {
            value.Members.Add(new()
            {
                MemberId = member.Id,
                GroupInstanceId = member.InstanceId,
                ClientId = member.ClientId,
                ClientHost = member.ClientHost,
                RebalanceTimeout = member.RebalanceTimeoutMs,
                SessionTimeout = member.SessionTimeoutMs,
                Subscription = member.MetadataOf(Protocol) ?? [],
                Assignment = assignments is null ? member.Assignment : assignments.GetValueOrDefault(member.Id, []),
            });
        }
        records.Write(CoordinatorRecord.Of(new GroupMetadataKey { Group = Id }, value, 3));
    }

    /// <summary>What the consumers of this generation read; null where the members are no consumers or cannot be understood.</summary>
    private IReadOnlySet<string>? SubscribedTopics() => UsesConsumerProtocol ? ConsumerSubscriptions.TopicsOf(_members.All, Protocol) : null;
}
