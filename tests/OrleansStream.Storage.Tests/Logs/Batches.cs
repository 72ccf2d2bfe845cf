using System.Buffers;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Storage.Tests.Logs;

/// <summary>Record batches for log tests.</summary>
internal static class Batches
{
    public static byte[] Make(int records, int valueBytes, byte fill, long timestamp = 1000)
    {
        using var builder = new RecordBatchBuilder();
        var value = new byte[valueBytes];
        value.AsSpan().Fill(fill);
        for (var i = 0; i < records; i++)
            builder.Append(timestamp + i, default, value, hasKey: false);
        return builder.Build();
    }

    public static ReadOnlySequence<byte> Sequence(byte[] bytes) => new(bytes);

    /// <summary>What a log must give back for a batch: the same bytes with offset and epoch.</summary>
    public static byte[] At(byte[] batch, long offset, int epoch)
    {
        var copy = batch.ToArray();
        RecordBatchPatch.AssignOffset(copy, offset, epoch);
        return copy;
    }
}
