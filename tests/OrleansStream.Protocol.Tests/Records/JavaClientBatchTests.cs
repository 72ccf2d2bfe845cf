using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;
using Record = OrleansStream.Protocol.Records.Record;

namespace OrleansStream.Protocol.Tests.Records;

/// <summary>The Java client reads every batch that we write, and we read every batch that it writes, with all codecs.</summary>
public class JavaClientBatchTests
{
    [SkippableFact]
    public void Both_read_what_the_other_wrote()
    {
        KafkaPeer.SkipIfAbsent();
        const int seed = 1;
        DirectoryInfo folder = Directory.CreateTempSubdirectory("batches");
        try
        {
            string At(string name) => Path.Combine(folder.FullName, name);
            byte[] ours = RandomBatches(seed);
            File.WriteAllBytes(At("ours.batches"), ours);
            KafkaPeer.RunJava(Path.Combine(AppContext.BaseDirectory, "Records", "JavaClient", "Batches.java"), folder.FullName, seed.ToString());

            Assert.Equal(File.ReadAllLines(At("java.txt")), Dump(File.ReadAllBytes(At("java.batches"))));
            Assert.Equal(Dump(ours), File.ReadAllLines(At("ours.txt")));
            Assert.True(File.ReadAllLines(At("ours.txt")).Length == 63 && File.ReadAllLines(At("java.txt")).Length == 60);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static byte[] RandomBatches(int seed)
    {
        var random = new Random(seed);
        var all = new List<byte>();
        long offset = 0;
        for (int i = 0; i < 60; i++)
        {
            bool producer = random.Next(2) == 0;
            using var builder = new RecordBatchBuilder
            {
                Codec = (CompressionCodec)(i % 5),
                BaseOffset = offset,
                PartitionLeaderEpoch = random.Next(10),
                ProducerId = producer ? random.Next() : -1,
                ProducerEpoch = (short)(producer ? 3 : -1),
                BaseSequence = producer ? random.Next() : -1,
                Transactional = producer && random.Next(2) == 0,
                LogAppendTimeMs = random.Next(4) == 0 ? RawBatch.Now : null,
            };
            int count = 1 + random.Next(i % 10 == 0 ? 800 : 20);
            for (int r = 0; r < count; r++)
            {
                byte[]? key = Bytes(random, 50), value = Bytes(random, 3000);
                var headers = Enumerable.Range(0, random.Next(3)).Select(h => new KeyValuePair<string, byte[]?>($"h{h}é", Bytes(random, 20))).ToList();
                builder.Append(RawBatch.Now + random.Next(100_000), key, value, key is not null, value is not null, headers);
            }
            all.AddRange(builder.Build());
            offset += count;
        }
        foreach (ControlRecordType type in new[] { ControlRecordType.Abort, ControlRecordType.Commit, ControlRecordType.Commit })
        {
            using var marker = new RecordBatchBuilder { BaseOffset = offset++, ProducerId = 5, ProducerEpoch = 1, Transactional = true, Control = true };
            marker.AppendEndTransaction(RawBatch.Now, type, 17);
            all.AddRange(marker.Build());
        }
        return [.. all];
    }

    private static byte[]? Bytes(Random random, int limit) =>
        random.Next(5) == 0 ? null : Protocol.Tests.Compression.Contents.Make(random.Next(5), random.Next(limit), random.Next());

    /// <summary>The same lines as the Java program prints.</summary>
    private static List<string> Dump(byte[] batches)
    {
        var lines = new List<string>();
        for (int at = 0; at < batches.Length;)
        {
            int size = RecordBatchHeader.ReadSize(batches.AsSpan(at));
            var batch = new ReadOnlySequence<byte>(batches, at, size);
            using OpenedRecords opened = OpenedRecords.Open(batch, 64 << 20);
            RecordBatchHeader h = opened.Header;
            Assert.Equal(h.Crc, Crc32C.Compute(batch.Slice(RecordBatchLayout.Attributes)));

            var content = new ArrayBufferWriter<byte>();
            foreach (Record record in opened)
            {
                BinaryPrimitives.WriteInt64BigEndian(content.GetSpan(8), record.Offset);
                content.Advance(8);
                BinaryPrimitives.WriteInt64BigEndian(content.GetSpan(8), record.Timestamp);
                content.Advance(8);
                Put(content, record.Key, record.HasKey);
                Put(content, record.Value, record.HasValue);
                BinaryPrimitives.WriteInt32BigEndian(content.GetSpan(4), record.Headers.Count);
                content.Advance(4);
                foreach (RecordHeader header in record.Headers)
                {
                    Put(content, header.Key, true);
                    Put(content, header.Value, header.HasValue);
                }
            }
            lines.Add($"{h.BaseOffset} {h.LastOffset} {h.RecordCount} {(int)h.Codec} {h.MaxTimestamp} {h.ProducerId} {h.ProducerEpoch} {h.BaseSequence} "
                + $"{h.PartitionLeaderEpoch} {(h.IsTransactional ? 1 : 0)} {(h.IsControl ? 1 : 0)} {h.Crc} {Convert.ToHexString(SHA256.HashData(content.WrittenSpan))}");
            at += size;
        }
        return lines;
    }

    private static void Put(ArrayBufferWriter<byte> content, ReadOnlySpan<byte> bytes, bool present)
    {
        BinaryPrimitives.WriteInt32BigEndian(content.GetSpan(4), present ? bytes.Length : -1);
        content.Advance(4);
        content.Write(bytes);
    }
}
