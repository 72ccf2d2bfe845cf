using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Simulation;

/// <summary>Record batches whose values are numbers, with padding that follows from the number.</summary>
internal static class Batches
{
    public static byte[] Build(long producerId, int baseSequence, long nowMs, IReadOnlyList<long> values, int padding)
    {
        using var builder = new RecordBatchBuilder
        {
            ProducerId = producerId, ProducerEpoch = producerId < 0 ? (short)-1 : (short)0, BaseSequence = producerId < 0 ? -1 : baseSequence,
        };
        foreach (var value in values)
        {
            builder.Append(nowMs, default, Content(value, padding), hasKey: false);
        }

        return builder.Build();
    }

    /// <summary>The records of whole batches; throws where a value's padding is not its own.</summary>
    public static List<SeenRecord> Read(ReadOnlySequence<byte> batches)
    {
        var records = new List<SeenRecord>();
        while (!batches.IsEmpty)
        {
            using var opened = OpenedRecords.Open(batches, 1 << 20);
            var header = opened.Header;
            if (Crc32C.Compute(batches.Slice(RecordBatchLayout.Attributes, header.SizeInBytes - RecordBatchLayout.Attributes)) != header.Crc)
            {
                throw new InvalidDataException($"the batch at offset {header.BaseOffset} has a wrong checksum");
            }

            foreach (var record in opened)
            {
                var value = BinaryPrimitives.ReadInt64LittleEndian(record.Value);
                if (!record.Value.SequenceEqual(Content(value, record.Value.Length - sizeof(long))))
                {
                    throw new InvalidDataException($"the value at offset {record.Offset} is damaged");
                }

                records.Add(new SeenRecord(record.Offset, value, header.PartitionLeaderEpoch));
            }

            batches = batches.Slice(header.SizeInBytes);
        }

        return records;
    }

    private static byte[] Content(long value, int padding)
    {
        var content = new byte[sizeof(long) + padding];
        BinaryPrimitives.WriteInt64LittleEndian(content, value);
        content.AsSpan(sizeof(long)).Fill((byte)value);
        return content;
    }
}
