using System.Buffers.Binary;
using System.Numerics;

namespace OrleansStream.EndToEnd.Wire;

/// <summary>A record as a test wants it or read it.</summary>
internal sealed record WireRecord(
    ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte>? Value, long TimestampMs, long Offset = -1, IReadOnlyList<(string Name, ReadOnlyMemory<byte>? Value)>? Headers = null);

/// <summary>Record batch v2 (KIP-98), uncompressed: built and read, byte by byte.</summary>
internal static class RecordBatch
{
    public const int HeaderBytes = 61;

    public static byte[] Build(IReadOnlyList<WireRecord> records, long producerId = -1, short producerEpoch = -1, int baseSequence = -1)
    {
        var first = records[0].TimestampMs;
        var body = new WireWriter()
            .Int16(0).Int32(records.Count - 1).Int64(first).Int64(records.Max(r => r.TimestampMs))
            .Int64(producerId).Int16(producerEpoch).Int32(baseSequence).Int32(records.Count);
        for (var i = 0; i < records.Count; i++)
        {
            var record = new WireWriter().Int8(0).VarInt(records[i].TimestampMs - first).VarInt(i).VarBlob(records[i].Key).VarBlob(records[i].Value);
            var headers = records[i].Headers ?? [];
            record.VarInt(headers.Count);
            foreach (var (name, value) in headers) record.VarBlob(System.Text.Encoding.UTF8.GetBytes(name)).VarBlob(value);
            body.VarInt(record.Bytes.Length).Raw(record.Bytes.Span);
        }
        return new WireWriter().Int64(0).Int32(body.Bytes.Length + 9).Int32(-1).Int8(2).Int32((int)Crc32C(body.Bytes.Span)).Raw(body.Bytes.Span).Bytes.ToArray();
    }

    /// <summary>Writes the checksum that the bytes call for: after a test changed some.</summary>
    public static byte[] Seal(byte[] batch)
    {
        BinaryPrimitives.WriteUInt32BigEndian(batch.AsSpan(17), Crc32C(batch.AsSpan(21)));
        return batch;
    }

    /// <summary>All records of whole batches; a cut batch at the end is left out, as Kafka allows. Throws on a checksum that does not fit.</summary>
    public static List<WireRecord> Read(ReadOnlyMemory<byte> bytes)
    {
        var records = new List<WireRecord>();
        while (bytes.Length >= HeaderBytes)
        {
            var length = 12 + BinaryPrimitives.ReadInt32BigEndian(bytes.Span[8..]);
            if (length > bytes.Length) break;
            var batch = bytes[..length];
            bytes = bytes[length..];
            if (BinaryPrimitives.ReadUInt32BigEndian(batch.Span[17..]) != Crc32C(batch.Span[21..])) throw new InvalidDataException("wrong checksum");
            var attributes = BinaryPrimitives.ReadInt16BigEndian(batch.Span[21..]);
            if ((attributes & 0x27) != 0) throw new NotSupportedException($"attributes {attributes}: compressed or control batch");
            var baseOffset = BinaryPrimitives.ReadInt64BigEndian(batch.Span);
            var firstTimestamp = BinaryPrimitives.ReadInt64BigEndian(batch.Span[27..]);
            var reader = new WireReader(batch[57..]);
            for (var left = reader.Int32(); left > 0; left--)
            {
                reader.VarInt();
                reader.Int8();
                var timestamp = firstTimestamp + reader.VarInt();
                var offset = baseOffset + reader.VarInt();
                var key = reader.VarBlob();
                var value = reader.VarBlob();
                var headers = new List<(string, ReadOnlyMemory<byte>?)>();
                for (var h = reader.VarInt(); h > 0; h--)
                    headers.Add((System.Text.Encoding.UTF8.GetString(reader.VarBlob()!.Value.Span), reader.VarBlob()));
                records.Add(new WireRecord(key, value, timestamp, offset, headers));
            }
        }
        return records;
    }

    private static uint Crc32C(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        for (; bytes.Length >= 8; bytes = bytes[8..]) crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var b in bytes) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
