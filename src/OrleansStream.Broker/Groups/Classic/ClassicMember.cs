using OrleansStream.Broker.Groups.Runtime;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups.Classic;

/// <summary>A protocol (a way to assign partitions, "range" for instance) that a member can speak, with what it says to the group's leader in it.</summary>
internal sealed record ClassicProtocol(string Name, byte[] Metadata);

/// <summary>A member of a group of the classic protocol; times in milliseconds.</summary>
internal sealed class ClassicMember(string id, string? instanceId, string clientId, string clientHost, ShardTimer session)
{
    public string Id => id;

    /// <summary>group.instance.id: set for a static member (KIP-345).</summary>
    public string? InstanceId => instanceId;

    public string ClientId => clientId;
    public string ClientHost => clientHost;

    /// <summary>Runs out where nothing is heard of the member for its session time-out.</summary>
    public ShardTimer Session => session;

    public int RebalanceTimeoutMs { get; set; }
    public int SessionTimeoutMs { get; set; }

    /// <summary>In order of preference; no name is there twice.</summary>
    public IReadOnlyList<ClassicProtocol> Protocols { get; set; } = [];

    public byte[] Assignment { get; set; } = [];

    /// <summary>Whether it has not got its first generation yet: then it cannot send heartbeats, and is not waited for without end.</summary>
    public bool IsNew { get; set; }

    /// <summary>Its JoinGroup that waits for the others; set through <see cref="ClassicGroup"/>, which counts.</summary>
    public Reply<JoinGroupResponse>? AwaitingJoin { get; set; }

    /// <summary>Its SyncGroup that waits for the leader's.</summary>
    public Reply<SyncGroupResponse>? AwaitingSync { get; set; }

    /// <summary>Who waits for the group is alive, without heartbeats.</summary>
    public bool IsWaiting => !IsNew && (AwaitingJoin is not null || AwaitingSync is not null);

    public byte[]? MetadataOf(string? protocol) => Protocols.FirstOrDefault(p => p.Name == protocol)?.Metadata;

    public bool Speaks(IReadOnlyList<ClassicProtocol> protocols)
    {
        if (protocols.Count != Protocols.Count)
            return false;
        for (var i = 0; i < protocols.Count; i++)
        {
            if (protocols[i].Name != Protocols[i].Name || !protocols[i].Metadata.AsSpan().SequenceEqual(Protocols[i].Metadata))
                return false;
        }
        return true;
    }
}
