using OrleansStream.Protocol.Records;

namespace OrleansStream.Benchmarks.Load;

/// <summary>Batches that are made once and sent again and again.</summary>
internal static class Batches
{
    /// <summary>A batch of <paramref name="count"/> records with values of noise, which no codec or file system can shorten.</summary>
    public static byte[] Make(int count, int recordBytes, int seed = 1)
    {
        var random = new Random(seed);
        var value = new byte[recordBytes];
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        using var builder = new RecordBatchBuilder();
        for (int i = 0; i < count; i++)
        {
            random.NextBytes(value);
            builder.Append(now, default, value, hasKey: false);
        }
        return builder.Build();
    }

    /// <summary>How many records of a size make a batch that Kafka's default max.message.bytes (1 MiB and 12 bytes) takes.</summary>
    public static int CountFor(int batchBytes, int recordBytes) => Math.Max(1, (Math.Min(batchBytes, 1 << 20) - RecordBatchHeader.Size) / (recordBytes + 12));
}
