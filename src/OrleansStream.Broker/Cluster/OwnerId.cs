using System.Security.Cryptography;
using System.Text;

namespace OrleansStream.Broker.Cluster;

/// <summary>Who serves a store, as the cell cluster/owner says it: one process, or all brokers of a cluster together.</summary>
public static class OwnerId
{
    /// <summary>The id that all brokers of a cluster share, from the name of that cluster (an RFC 9562 UUID of version 8, out of SHA-256).</summary>
    public static Guid OfCluster(string name)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes("cluster/owner " + name)).AsSpan(0, 16);
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new Guid(hash, bigEndian: true);
    }
}
