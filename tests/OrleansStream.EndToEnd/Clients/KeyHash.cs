using System.Buffers.Binary;

namespace OrleansStream.EndToEnd.Clients;

/// <summary>The partition of a key: Kafka's default partitioner (MurmurHash2, seed 0x9747b28c) and librdkafka's (CRC-32 of zlib).</summary>
internal static class KeyHash
{
    public static int Partition(Partitioner partitioner, byte[] key, int partitions) => partitioner == Partitioner.Murmur2
        ? (int)((Murmur2(key) & 0x7fffffff) % (uint)partitions)
        : (int)(Crc32(key) % (uint)partitions);

    private static uint Murmur2(ReadOnlySpan<byte> data)
    {
        const uint multiplier = 0x5bd1e995;
        var hash = 0x9747b28c ^ (uint)data.Length;
        for (; data.Length >= 4; data = data[4..])
        {
            var word = BinaryPrimitives.ReadUInt32LittleEndian(data) * multiplier;
            word = (word ^ (word >> 24)) * multiplier;
            hash = (hash * multiplier) ^ word;
        }
        for (var i = data.Length - 1; i >= 0; i--) hash ^= (uint)data[i] << (8 * i);
        if (data.Length > 0) hash *= multiplier;
        hash = (hash ^ (hash >> 13)) * multiplier;
        return hash ^ (hash >> 15);
    }

    private static uint Crc32(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var b in data)
        {
            crc ^= b;
            for (var bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0xedb88320);
        }
        return ~crc;
    }
}
