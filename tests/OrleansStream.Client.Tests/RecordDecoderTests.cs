using OrleansStream.Client.Reading;
using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Client.Tests;

public sealed class RecordDecoderTests
{
    [Fact]
    public void Records_come_with_all_that_they_have()
    {
        using var builder = new RecordBatchBuilder { BaseOffset = 40 };
        builder.Append(1_000, "k"u8, "v"u8, headers: [new("h", [1, 2]), new("none", null)]);
        builder.Append(1_001, default, default, hasKey: false, hasValue: false);
        (List<StreamRecord> records, long next) = RecordDecoder.Decode(3, builder.Build(), 40);
        Assert.Equal(42, next);
        Assert.Equal([new RecordPosition(3, 40), new RecordPosition(3, 41)], records.Select(r => r.Position));
        Assert.Equal(("k", "v"), (records[0].KeyText, records[0].ValueText));
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_000), records[0].Timestamp);
        Assert.Equal(["h", "none"], records[0].Headers.Select(h => h.Key));
        Assert.Equal([1, 2], records[0].Headers[0].Value);
        Assert.Null(records[0].Headers[1].Value);
        Assert.Null(records[1].Key);
        Assert.Null(records[1].Value);
    }

    [Fact]
    public void A_batch_is_read_from_its_middle_and_markers_are_passed_over()
    {
        using var data = new RecordBatchBuilder { BaseOffset = 0, Codec = CompressionCodec.Gzip };
        for (int i = 0; i < 10; i++)
            data.Append(i, default, [(byte)i], hasKey: false);
        using var marker = new RecordBatchBuilder { BaseOffset = 10, Control = true, Transactional = true, ProducerId = 1, ProducerEpoch = 0 };
        marker.AppendEndTransaction(11, ControlRecordType.Commit, 0);
        (List<StreamRecord> records, long next) = RecordDecoder.Decode(0, (byte[])[.. data.Build(), .. marker.Build()], 7);
        Assert.Equal([7L, 8, 9], records.Select(r => r.Offset));
        Assert.Equal(11, next);
    }

    [Fact]
    public void Nothing_is_nothing() => Assert.Equal(5, RecordDecoder.Decode(0, default, 5).Next);
}
