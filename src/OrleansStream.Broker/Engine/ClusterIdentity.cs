using OrleansStream.Broker.Topics;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>Who the cluster is (cluster/id, made once for ever) and who serves it now (cluster/owner): one process, or brokers that share an id.</summary>
internal sealed class ClusterIdentity
{
    private sealed record Id(Guid Value);

    private sealed record Owner(Guid Process, int NodeId, long SinceMs);

    private static readonly CellCodec<Id> IdCodec = new(CellKind.ClusterId, 1, (id, writer) => writer.Id(id.Value), reader => new Id(reader.Id()));

    private static readonly CellCodec<Owner> OwnerCodec = new(CellKind.Owner, 1,
        (owner, writer) =>
        {
            writer.Id(owner.Process);
            writer.Int(owner.NodeId);
            writer.Long(owner.SinceMs);
        },
        reader => new Owner(reader.Id(), reader.Int(), reader.Long()));

    private readonly StoredCell<Owner> _owner;
    private readonly Owner _me;

    private ClusterIdentity(string clusterId, StoredCell<Owner> owner, Owner me)
    {
        ClusterId = clusterId;
        _owner = owner;
        _me = me;
    }

    /// <summary>22 characters, as Kafka writes an id.</summary>
    public string ClusterId { get; }

    /// <summary>Reads or makes the cluster's id, and says who serves it from now on. Throws <see cref="StoreUnavailableException"/>.</summary>
    /// <param name="ownerId">Shared by the brokers of a cluster; null: this process alone.</param>
    public static async ValueTask<ClusterIdentity> TakeAsync(IObjectStore store, RuntimePorts ports, int nodeId, Guid? ownerId, CancellationToken cancel)
    {
        var idCell = new StoredCell<Id>(store, ports, "cluster/id", IdCodec);
        var id = await idCell.UpdateAsync(there => there is null ? new Id(ports.Random.NextGuid()) : null, cancel);
        var owner = new StoredCell<Owner>(store, ports, "cluster/owner", OwnerCodec);
        var me = new Owner(ownerId ?? ports.Random.NextGuid(), nodeId, ports.NowMilliseconds);
        await owner.UpdateAsync(there => there?.Process == me.Process ? null : me, cancel);
        return new ClusterIdentity(Text(id!.Value), owner, me);
    }

    /// <summary>
    /// Whether nobody else has begun to serve this store since. Never what correctness rests on: two processes that both believe it fence each
    /// other's journals for as long as they do. Throws <see cref="StoreUnavailableException"/>.
    /// </summary>
    public async ValueTask<bool> IsStillMineAsync(CancellationToken cancel) => (await _owner.LoadAsync(cancel))?.Process == _me.Process;

    private static string Text(Guid id) => Convert.ToBase64String(id.ToByteArray(bigEndian: true)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}
