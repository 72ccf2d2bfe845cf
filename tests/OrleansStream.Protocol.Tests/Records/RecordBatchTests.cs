using System.Buffers;
using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;
using Record = OrleansStream.Protocol.Records.Record;

namespace OrleansStream.Protocol.Tests.Records;

public class RecordBatchTests
{
    private static byte[] Sample(CompressionCodec codec = CompressionCodec.None)
    {
        using var builder = new RecordBatchBuilder { Codec = codec, ProducerId = 77, ProducerEpoch = 4, BaseSequence = 100 };
        for (int i = 0; i < 50; i++)
            builder.Append(RawBatch.Now + 3 * i, BitConverter.GetBytes(i), new byte[i], headers: [new("h", [1]), new("n", null)]);
        return builder.Build();
    }

    [Fact]
    public void A_header_is_read_from_any_pieces()
    {
        byte[] batch = Sample();
        for (int cut = 0; cut <= 61; cut++)
        {
            Assert.True(RecordBatchHeader.TryRead(Sequences.Split(batch, cut), out RecordBatchHeader header));
            Assert.Equal((0L, 49L, 50, 77L, (short)4, 100, 149), (header.BaseOffset, header.LastOffset, header.RecordCount, header.ProducerId,
                header.ProducerEpoch, header.BaseSequence, header.LastSequence));
            Assert.Equal((RawBatch.Now, RawBatch.Now + 147, (long)batch.Length), (header.BaseTimestamp, header.MaxTimestamp, header.SizeInBytes));
        }
        Assert.False(RecordBatchHeader.TryRead(new ReadOnlySequence<byte>(batch, 0, 60), out _));
    }

    [Fact]
    public void Sequence_numbers_wrap_to_zero()
    {
        Assert.Equal(0, RecordBatchHeader.AddSequence(int.MaxValue, 1));
        Assert.Equal(4, RecordBatchHeader.AddSequence(int.MaxValue - 5, 10));
        Assert.Equal(int.MaxValue, RecordBatchHeader.AddSequence(int.MaxValue, 0));
    }

    [Fact]
    public void Offset_and_epoch_lie_outside_of_the_checksum()
    {
        byte[] batch = Sample();
        RecordBatchPatch.AssignOffset(batch, 1_000_000_000_000, 9);
        RecordBatchHeader header = RecordBatchHeader.Read(batch);
        Assert.Equal((1_000_000_000_000, 1_000_000_000_049, 9), (header.BaseOffset, header.LastOffset, header.PartitionLeaderEpoch));
        Assert.Equal(header.Crc, Crc32C.Compute(batch.AsSpan(RecordBatchLayout.Attributes)));
    }

    [Fact]
    public void Log_append_time_is_every_record_s_time_and_the_checksum_follows()
    {
        byte[] batch = [.. Sample(CompressionCodec.Lz4), 1, 2, 3];
        RecordBatchPatch.SetLogAppendTime(batch, 5);
        using OpenedRecords opened = OpenedRecords.Open(new ReadOnlySequence<byte>(batch), 1 << 20);
        Assert.True(opened.Header.IsLogAppendTime);
        Assert.Equal(opened.Header.Crc, Crc32C.Compute(batch.AsSpan(RecordBatchLayout.Attributes..^3)));
        foreach (Record record in opened)
            Assert.Equal(5, record.Timestamp);

        RecordBatchPatch.SetMaxTimestamp(batch, RawBatch.Now + 147, logAppendTime: false);
        Assert.Equal(Sample(CompressionCodec.Lz4), batch[..^3]);
    }

    [Theory]
    [InlineData(CompressionCodec.None)]
    [InlineData(CompressionCodec.Gzip)]
    [InlineData(CompressionCodec.Snappy)]
    [InlineData(CompressionCodec.Lz4)]
    [InlineData(CompressionCodec.Zstd)]
    public void What_is_built_is_valid_and_read_back(CompressionCodec codec)
    {
        byte[] batch = Sample(codec);
        var rules = new RecordBatchRules { OpenCompressed = true, RequireKeys = true, NowMs = RawBatch.Now };
        RecordBatchVerdict verdict = RecordBatchValidator.Validate(new ReadOnlySequence<byte>(batch), rules);
        Assert.Null(verdict.Message);
        Assert.Equal(RawBatch.Now + 147, verdict.MaxTimestamp);

        for (int size = 1; size <= batch.Length; size = size * 2 + 1)
        {
            using OpenedRecords opened = OpenedRecords.Open(Sequences.Chunked(batch, size), 1 << 20);
            int i = 0;
            foreach (Record record in opened)
            {
                Assert.Equal((i, RawBatch.Now + 3 * i, i, i), (record.Offset, record.Timestamp, BitConverter.ToInt32(record.Key), record.Value.Length));
                Assert.Equal(2, record.Headers.Count);
                i++;
            }
            Assert.Equal(50, i);
        }
    }

    [Fact]
    public void Compaction_keeps_offsets_and_leaves_gaps()
    {
        using OpenedRecords opened = OpenedRecords.Open(new ReadOnlySequence<byte>(Sample()), 1 << 20);
        using var builder = new RecordBatchBuilder { Codec = CompressionCodec.Zstd, BaseOffset = 500 };
        foreach (Record record in opened)
            if (record.Offset % 7 == 3)
                builder.Append(record, (int)record.Offset);
        builder.LastOffsetDelta = 49;

        using OpenedRecords compacted = OpenedRecords.Open(new ReadOnlySequence<byte>(builder.Build()), 1 << 20);
        Assert.Equal((7, 549L), (compacted.Header.RecordCount, compacted.Header.LastOffset));
        long expected = 503;
        foreach (Record record in compacted)
        {
            Assert.Equal(expected, record.Offset);
            Assert.Equal(2, record.Headers.Count);
            expected += 7;
        }
    }

    [Fact]
    public void Markers_of_transactions_are_read_back()
    {
        using var builder = new RecordBatchBuilder { ProducerId = 1, ProducerEpoch = 0, Transactional = true, Control = true };
        builder.AppendEndTransaction(RawBatch.Now, ControlRecordType.Commit, 42);
        using OpenedRecords opened = OpenedRecords.Open(new ReadOnlySequence<byte>(builder.Build()), 1000);
        Assert.True(opened.Header is { IsControl: true, IsTransactional: true });
        foreach (Record record in opened)
        {
            Assert.True(ControlRecords.TryReadType(record.Key, out ControlRecordType type));
            Assert.True(ControlRecords.TryReadCoordinatorEpoch(record.Value, out int epoch));
            Assert.Equal((ControlRecordType.Commit, 42), (type, epoch));
        }
    }

    [Fact]
    public void Reading_mutated_records_ends_in_order()
    {
        byte[] batch = Sample();
        int refused = 0;
        for (int seed = 0; seed < 3000; seed++)
        {
            var random = new Random(seed);
            byte[] mutated = [.. batch];
            for (int i = random.Next(3); i >= 0; i--)
                mutated[random.Next(RecordBatchLayout.RecordCount, mutated.Length)] = (byte)random.Next(256);
            int read = 0;
            try
            {
                using OpenedRecords opened = OpenedRecords.Open(new ReadOnlySequence<byte>(mutated), 1 << 20);
                foreach (Record record in opened)
                {
                    read++;
                    foreach (RecordHeader header in record.Headers)
                        _ = header.Key.Length + header.Value.Length;
                }
            }
            catch (CorruptRecordsException)
            {
                refused++;
            }
            Assert.InRange(read, 0, mutated.Length);

            // What the validator lets pass can be read; it is the stricter of the two.
            RecordBatchPatch.WriteCrc(mutated);
            bool valid = RecordBatchValidator.Validate(new ReadOnlySequence<byte>(mutated), new RecordBatchRules()).Ok;
            Assert.False(valid && read != RecordBatchHeader.Read(mutated).RecordCount, $"seed {seed}");
        }
        Assert.InRange(refused, 300, 3000);
    }

    [Fact]
    public void Reading_allocates_nothing()
    {
        byte[] batch = Sample();
        var sequence = new ReadOnlySequence<byte>(batch);
        long Walk()
        {
            long sum = 0;
            using OpenedRecords opened = OpenedRecords.Open(sequence, 1 << 20);
            foreach (Record record in opened)
                foreach (RecordHeader header in record.Headers)
                    sum += record.Offset + header.Key.Length;
            return sum;
        }
        for (int i = 0; i < 100; i++)
            Walk();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Walk();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
