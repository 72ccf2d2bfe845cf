using System.Buffers.Binary;

namespace OrleansStream.Client.Producing;

/// <summary>Which partition a key belongs to: as Kafka's own producers have it, so that they and this client agree.</summary>
internal static class KeyPartitioner
{
    private const uint Seed = 0x9747b28c;
    private const uint Multiplier = 0x5bd1e995;

    /// <summary>The hash without its sign, modulo the number of partitions.</summary>
    public static int Partition(ReadOnlySpan<byte> key, int partitions) => (Murmur2(key) & int.MaxValue) % partitions;

    /// <summary>MurmurHash2, 32 bits.</summary>
    public static int Murmur2(ReadOnlySpan<byte> key)
    {
        uint hash = Seed ^ (uint)key.Length;
        for (; key.Length >= sizeof(uint); key = key[sizeof(uint)..])
        {
            uint word = BinaryPrimitives.ReadUInt32LittleEndian(key) * Multiplier;
            hash = (hash * Multiplier) ^ ((word ^ (word >> 24)) * Multiplier);
        }
        if (!key.IsEmpty)
        {
            for (int i = 0; i < key.Length; i++)
                hash ^= (uint)key[i] << (8 * i);
            hash *= Multiplier;
        }
        hash = (hash ^ (hash >> 13)) * Multiplier;
        return (int)(hash ^ (hash >> 15));
    }
}
