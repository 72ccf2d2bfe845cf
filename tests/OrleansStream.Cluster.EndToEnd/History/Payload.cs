using System.Buffers.Binary;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.History;

/// <summary>Which record of which producer it is; and the bytes that follow from that, so that every byte read can be checked.</summary>
internal readonly record struct Payload(int Producer, int Index)
{
    private const int HeaderBytes = 8;

    public byte[] ToBytes()
    {
        uint noise = (uint)HashCode(Producer, Index);
        byte[] bytes = new byte[HeaderBytes + 16 + (noise % 700)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, Producer);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4), Index);
        for (int i = HeaderBytes; i < bytes.Length; i++)
        {
            noise = (noise * 1664525) + 1013904223;
            bytes[i] = (byte)(noise >> 24);
        }
        return bytes;
    }

    /// <summary>Of the present: a record of long ago is retention's to delete, and tests that run for minutes meet that.</summary>
    public WireRecord ToRecord() => new(null, ToBytes(), DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());

    /// <summary>Null where the bytes are not those that were sent.</summary>
    public static Payload? Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderBytes) return null;
        var payload = new Payload(BinaryPrimitives.ReadInt32BigEndian(bytes), BinaryPrimitives.ReadInt32BigEndian(bytes[4..]));
        return bytes.SequenceEqual(payload.ToBytes()) ? payload : null;
    }

    private static int HashCode(int producer, int index) => unchecked((producer * 486187739) + (index * 16777619));
}
