using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups.Classic;

/// <summary>The members of a group of the classic protocol: by id and by instance id, who leads, who waits, and what they speak in common.</summary>
internal sealed class ClassicMembers
{
    private readonly Dictionary<string, ClassicMember> _byId = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ClassicMember> _static = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _speakers = new(StringComparer.Ordinal);

    public int Count => _byId.Count;
    public IReadOnlyCollection<ClassicMember> All => _byId.Values;

    /// <summary>How many wait for the next generation to begin.</summary>
    public int AwaitingJoin { get; private set; }

    /// <summary>Who works out the assignment; null only where there are no members.</summary>
    public ClassicMember? Leader { get; private set; }

    /// <summary>The longest time that a member wants to be waited for in a rebalance.</summary>
    public int RebalanceTimeoutMs => _byId.Count == 0 ? 0 : _byId.Values.Max(m => m.RebalanceTimeoutMs);

    public ClassicMember? Find(string id) => _byId.GetValueOrDefault(id);
    public ClassicMember? FindStatic(string instanceId) => _static.GetValueOrDefault(instanceId);
    public bool AllSpeak(string protocol) => _speakers.GetValueOrDefault(protocol) == _byId.Count;

    public void Add(ClassicMember member)
    {
        _byId.Add(member.Id, member);
        if (member.InstanceId is not null)
            _static[member.InstanceId] = member;
        CountProtocols(member, 1);
        Leader ??= member;
    }

    public void Remove(ClassicMember member)
    {
        if (!_byId.Remove(member.Id))
            return;
        CountProtocols(member, -1);
        if (member.AwaitingJoin is not null)
            AwaitingJoin--;
        if (member.InstanceId is not null)
            _static.Remove(member.InstanceId);
        if (Leader == member)
            Leader = _byId.Values.FirstOrDefault();
    }

    public void Replace(ClassicMember old, ClassicMember replacement)
    {
        var led = Leader == old;
        Remove(old);
        Add(replacement);
        if (led)
            Leader = replacement;
    }

    public void Lead(string? memberId) => Leader = (memberId is null ? null : Find(memberId)) ?? _byId.Values.FirstOrDefault();

    public void SetProtocols(ClassicMember member, IReadOnlyList<ClassicProtocol> protocols)
    {
        CountProtocols(member, -1);
        member.Protocols = protocols;
        CountProtocols(member, 1);
    }

    private void CountProtocols(ClassicMember member, int by)
    {
        foreach (var protocol in member.Protocols)
            _speakers[protocol.Name] = _speakers.GetValueOrDefault(protocol.Name) + by;
    }

    /// <summary>The member waits for the next generation. Who waited before in its name, on a connection that is probably gone, is told to ask again.</summary>
    public void Await(ClassicMember member, Reply<JoinGroupResponse> reply)
    {
        if (member.AwaitingJoin is { } before)
            before.Answer(new JoinGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress, MemberId = member.Id });
        else
            AwaitingJoin++;
        member.AwaitingJoin = reply;
    }

    /// <summary>Answers the JoinGroup that waits, if one does.</summary>
    public void AnswerJoin(ClassicMember member, JoinGroupResponse response)
    {
        if (member.AwaitingJoin is not { } waiting)
            return;
        member.AwaitingJoin = null;
        AwaitingJoin--;
        waiting.Answer(response);
    }

    /// <summary>Answers what waits in the member's name with an error.</summary>
    public void Refuse(ClassicMember member, ErrorCode error)
    {
        AnswerJoin(member, new JoinGroupResponse { ErrorCode = (short)error, MemberId = member.Id });
        if (member.AwaitingSync is not { } waiting)
            return;
        member.AwaitingSync = null;
        waiting.Answer(new SyncGroupResponse { ErrorCode = (short)error });
    }

    /// <summary>A leader that did not come back gives way to a member that did. False where nobody did.</summary>
    public bool ElectJoinedLeader()
    {
        if (Leader?.AwaitingJoin is not null)
            return true;
        if (_byId.Values.FirstOrDefault(m => m.AwaitingJoin is not null) is not { } next)
            return false;
        Leader = next;
        return true;
    }

    /// <summary>Of what all members speak, each votes for what it likes best; the most votes win, and of equals what was voted for first.</summary>
    public string SelectProtocol()
    {
        var votes = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var member in _byId.Values)
        {
            var vote = member.Protocols.First(p => AllSpeak(p.Name)).Name;
            votes[vote] = votes.GetValueOrDefault(vote) + 1;
        }
        return votes.MaxBy(v => v.Value).Key;
    }
}
