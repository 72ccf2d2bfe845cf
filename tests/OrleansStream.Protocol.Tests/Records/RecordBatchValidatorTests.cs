using System.Buffers;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Tests.Records;

/// <summary>The codes are those with which Apache Kafka 4.3.1 answered the same bytes, except where a name ends in "unlike Kafka".</summary>
public class RecordBatchValidatorTests
{
    private static readonly RecordBatchRules Rules = new() { NowMs = RawBatch.Now, TimestampAfterMaxMs = 3_600_000, ProduceVersion = 8 };
    private static readonly byte[] Good = new RawBatch().Bytes();

    public static TheoryData<string, byte[], ErrorCode> Cases()
    {
        var cases = new TheoryData<string, byte[], ErrorCode>();
        void Add(string name, RawBatch batch, ErrorCode code) => cases.Add(name, batch.Bytes(), code);
        const ErrorCode Invalid = ErrorCode.InvalidRecord, Corrupt = ErrorCode.CorruptMessage, Server = ErrorCode.UnknownServerError;

        cases.Add("good", Good, ErrorCode.None);
        cases.Add("nothing", [], Invalid);
        cases.Add("five bytes", new byte[5], Invalid);
        cases.Add("zeros", new byte[61], Corrupt);
        cases.Add("last byte missing", Good[..^1], Invalid);
        cases.Add("header cut off", Good[..40], Invalid);
        cases.Add("five bytes behind", [.. Good, 1, 2, 3, 4, 5], ErrorCode.None);
        cases.Add("zeros behind", [.. Good, .. new byte[30]], Corrupt);
        cases.Add("ones behind", [.. Good, .. Enumerable.Repeat((byte)255, 30)], Corrupt);
        cases.Add("unfinished second batch", [.. Good, .. Good[..^3]], ErrorCode.None);
        cases.Add("two batches", [.. Good, .. Good], Invalid);
        Add("wrong checksum", new() { CrcFlip = 1 }, Corrupt);
        Add("length one too long", new() { LengthOffBy = 1 }, Invalid);
        Add("length one too short", new() { LengthOffBy = -1 }, Corrupt);
        foreach (int length in new[] { -1, 0, 13, 14, 48, 49, 50, int.MinValue })
            Add($"length {length}", new() { BatchLength = length }, Corrupt);
        Add("length of 2 GiB", new() { BatchLength = int.MaxValue - 12 }, Invalid);
        Add("length of 2 GiB and more", new() { BatchLength = int.MaxValue }, Invalid);
        Add("magic 0", new() { Magic = 0 }, Invalid);
        Add("magic 1", new() { Magic = 1 }, Invalid);
        Add("magic 3", new() { Magic = 3 }, Corrupt);
        Add("magic -1", new() { Magic = -1 }, Corrupt);
        Add("base offset 5", new() { BaseOffset = 5 }, Invalid);
        Add("base offset -1", new() { BaseOffset = -1 }, Invalid);

        Add("no records", new() { Count = 0, Body = [] }, Invalid);
        Add("count 0, delta 0", new() { Count = 0, LastOffsetDelta = 0, Body = [] }, Invalid);
        Add("count 0, delta 1", new() { Count = 0, LastOffsetDelta = 1 }, Invalid);
        Add("count 3 of 2", new() { Count = 3 }, Invalid);
        Add("count 1 of 2", new() { Count = 1 }, Invalid);
        Add("delta 2 of 2", new() { LastOffsetDelta = 2 }, Invalid);
        Add("count -1", new() { Count = -1, LastOffsetDelta = 1 }, Invalid);
        Add("count 2^31 - 1", new() { Count = int.MaxValue }, Invalid);
        Add("delta -1", new() { LastOffsetDelta = -1 }, Invalid);
        Add("delta -2^31", new() { LastOffsetDelta = int.MinValue }, Invalid);
        Add("control", new() { Attributes = 0x20 }, Invalid);
        Add("control with producer", new() { Attributes = 0x20, ProducerId = 1, ProducerEpoch = 0, BaseSequence = 0 }, Invalid);
        foreach (short attributes in new short[] { 0x08, 0x40, 0x80, 0x4000 })
            Add($"attributes {attributes:X}", new() { Attributes = attributes }, ErrorCode.None);
        foreach (short codec in new short[] { 5, 6, 7 })
            Add($"codec {codec}", new() { Attributes = codec }, Server);
        Add("producer without sequence", new() { ProducerId = 5, ProducerEpoch = 0 }, Invalid);
        Add("producer without epoch", new() { ProducerId = 5, BaseSequence = 0 }, ErrorCode.None);
        Add("producer -2", new() { ProducerId = -2, ProducerEpoch = 0 }, ErrorCode.None);
        Add("sequence without producer", new() { ProducerEpoch = 3, BaseSequence = 5 }, ErrorCode.None);

        Add("gzip", new() { Attributes = 1, Body = RawBatch.Gzip(RawBatch.Record(0), RawBatch.Record(1)) }, ErrorCode.None);
        Add("gzip garbage", new() { Attributes = 1 }, Server);
        Add("gzip of nothing", new() { Attributes = 1, Body = [] }, Server);
        Add("gzip cut off: unlike Kafka", new() { Attributes = 1, Body = RawBatch.Gzip(RawBatch.Record(0), RawBatch.Record(1))[..^12] }, Invalid);
        Add("gzip, count 3", new() { Attributes = 1, Count = 3, Body = RawBatch.Gzip(RawBatch.Record(0), RawBatch.Record(1)) }, Invalid);
        Add("gzip, count 1", new() { Attributes = 1, Count = 1, Body = RawBatch.Gzip(RawBatch.Record(0), RawBatch.Record(1)) }, Invalid);
        Add("gzip, lying record: unlike Kafka", new() { Attributes = 1, Body = RawBatch.Gzip(RawBatch.Record(0), RawBatch.Record(1, lengthOffBy: 5)) }, Invalid);
        Add("snappy garbage", new() { Attributes = 2 }, Server);
        Add("lz4 garbage", new() { Attributes = 3 }, Server);
        Add("zstd garbage", new() { Attributes = 4 }, Server);

        RawBatch One(byte[] body) => new() { Count = 1, Body = body };
        Add("record longer", new() { Body = [.. RawBatch.Record(0, lengthOffBy: 1), .. RawBatch.Record(1)] }, Invalid);
        Add("record shorter", new() { Body = [.. RawBatch.Record(0, lengthOffBy: -1), .. RawBatch.Record(1)] }, Invalid);
        Add("last record longer", new() { Body = [.. RawBatch.Record(0), .. RawBatch.Record(1, lengthOffBy: 1)] }, Invalid);
        Add("bytes within a record", One(RawBatch.Record(0, tail: [1, 2])), Invalid);
        Add("negative record", One([.. RawBatch.Vint(-5), .. new byte[8]]), Invalid);
        Add("endless integer: unlike Kafka", One([.. Enumerable.Repeat((byte)255, 11), 1, 2, 3]), Invalid);
        Add("headers -1", One(RawBatch.Record(0, headerCount: -1)), Invalid);
        Add("header missing", One(RawBatch.Record(0, headerCount: 1)), Invalid);
        Add("2^31 - 1 headers", One(RawBatch.Record(0, headerCount: int.MaxValue)), Invalid);
        Add("header without key", One(RawBatch.Record(0, headerCount: 1, headers: [.. RawBatch.Vint(-1), .. RawBatch.Vint(1), 7])), Invalid);
        Add("header without value", One(RawBatch.Record(0, headerCount: 1, headers: [.. RawBatch.Vint(1), 7, .. RawBatch.Vint(-1)])), ErrorCode.None);
        Add("header key that is no UTF-8", One(RawBatch.Record(0, headerCount: 1, headers: [.. RawBatch.Vint(1), 0xFF, .. RawBatch.Vint(-1)])), ErrorCode.None);
        Add("record attributes", One(RawBatch.Record(0, attributes: 255)), ErrorCode.None);
        Add("null key and value", One(RawBatch.Record(0, key: null)), ErrorCode.None);
        Add("key length -2: unlike Kafka", One([.. RawBatch.Vint(7), 0, .. RawBatch.Vint(0), .. RawBatch.Vint(0), .. RawBatch.Vint(-2), .. RawBatch.Vint(1), 7, 0]), Invalid);
        Add("deltas 1, 2: unlike Kafka", new() { Body = [.. RawBatch.Record(1), .. RawBatch.Record(2)] }, Invalid);
        Add("deltas 0, 0: unlike Kafka", new() { Body = [.. RawBatch.Record(0), .. RawBatch.Record(0)] }, Invalid);

        Add("timestamp -1", new() { BaseTimestamp = -1 }, ErrorCode.None);
        Add("timestamp -2", new() { BaseTimestamp = -2 }, ErrorCode.None);
        Add("timestamp 0", new() { BaseTimestamp = 0 }, ErrorCode.None);
        Add("two hours ahead", new() { BaseTimestamp = RawBatch.Now + 7_200_000 }, ErrorCode.InvalidTimestamp);
        Add("a delta two hours ahead", new() { Body = [.. RawBatch.Record(0), .. RawBatch.Record(1, timestampDelta: 7_200_000)] }, ErrorCode.InvalidTimestamp);
        Add("a delta back", new() { Body = [.. RawBatch.Record(0), .. RawBatch.Record(1, timestampDelta: -7_200_000)] }, ErrorCode.None);
        Add("a delta that overflows", new() { Body = [.. RawBatch.Record(0), .. RawBatch.Record(1, timestampDelta: long.MaxValue)] }, ErrorCode.InvalidTimestamp);
        Add("a maximum that lies", new() { MaxTimestamp = RawBatch.Now + 1_000_000_000 }, ErrorCode.None);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Answers_as_Kafka_does(string name, byte[] records, ErrorCode expected)
    {
        RecordBatchRules rules = Rules with { OpenCompressed = true, TimestampBeforeMaxMs = name.Contains("overflow") ? 1L << 50 : long.MaxValue };
        RecordBatchVerdict verdict = RecordBatchValidator.Validate(new ReadOnlySequence<byte>(records), rules);
        Assert.Equal(expected, verdict.Error);
        Assert.Equal(expected == ErrorCode.None, verdict.Message is null);

        // The answer does not depend on how the bytes came.
        for (int size = 1; size <= records.Length; size = size * 3 / 2 + 1)
            Assert.Equal(expected, RecordBatchValidator.Validate(Sequences.Chunked(records, size), rules).Error);
    }

    [Fact]
    public void Says_what_a_good_batch_holds()
    {
        byte[] lying = new RawBatch { MaxTimestamp = 5, Body = [.. RawBatch.Record(0), .. RawBatch.Record(1, timestampDelta: 9)] }.Bytes();
        RecordBatchVerdict verdict = RecordBatchValidator.Validate(new ReadOnlySequence<byte>([.. lying, 1, 2, 3]), Rules);
        Assert.True(verdict.Ok);
        Assert.Equal(lying.Length, verdict.SizeInBytes);
        Assert.Equal(2, verdict.Header.RecordCount);
        Assert.Equal(RawBatch.Now + 9, verdict.MaxTimestamp);
    }

    [Fact]
    public void Size_limit_comes_before_the_checksum()
    {
        var batch = new ReadOnlySequence<byte>(new RawBatch { CrcFlip = 1 }.Bytes());
        Assert.Equal(ErrorCode.MessageTooLarge, RecordBatchValidator.Validate(batch, Rules with { MaxMessageBytes = (int)batch.Length - 1 }).Error);
        Assert.Equal(ErrorCode.CorruptMessage, RecordBatchValidator.Validate(batch, Rules with { MaxMessageBytes = (int)batch.Length }).Error);
    }

    [Fact]
    public void Zstd_is_known_from_version_7_on()
    {
        var batch = new ReadOnlySequence<byte>(new RawBatch { Attributes = 4 }.Bytes());
        Assert.Equal(ErrorCode.UnsupportedCompressionType, RecordBatchValidator.Validate(batch, Rules with { ProduceVersion = 6 }).Error);
    }

    [Fact]
    public void Compressed_records_are_opened_only_where_a_rule_needs_it()
    {
        var garbage = new ReadOnlySequence<byte>(new RawBatch { Attributes = 1 }.Bytes());
        Assert.True(RecordBatchValidator.Validate(garbage, Rules).Ok);
        Assert.Equal(ErrorCode.UnknownServerError, RecordBatchValidator.Validate(garbage, Rules with { RequireKeys = true }).Error);
        var late = new ReadOnlySequence<byte>(new RawBatch { Attributes = 1, BaseTimestamp = RawBatch.Now + 7_200_000 }.Bytes());
        Assert.Equal(ErrorCode.InvalidTimestamp, RecordBatchValidator.Validate(late, Rules).Error);
    }

    [Fact]
    public void A_decompression_bomb_is_too_large()
    {
        var bomb = new ReadOnlySequence<byte>(new RawBatch { Attributes = 1, Count = 1, Body = RawBatch.Gzip(RawBatch.Record(0, valueLength: 50_000_000)) }.Bytes());
        RecordBatchRules rules = Rules with { OpenCompressed = true, MaxDecompressedBytes = 1 << 20 };
        Assert.Equal(ErrorCode.MessageTooLarge, RecordBatchValidator.Validate(bomb, rules).Error);
    }

    [Fact]
    public void Records_without_keys_are_named_for_a_compacted_topic()
    {
        byte[][] records = [RawBatch.Record(0), RawBatch.Record(1, key: null), RawBatch.Record(2, key: null)];
        foreach (RawBatch batch in new[]
        {
            new RawBatch { Count = 3, Body = [.. records.SelectMany(r => r)] },
            new RawBatch { Count = 3, Attributes = 1, Body = RawBatch.Gzip(records) },
        })
        {
            RecordBatchVerdict verdict = RecordBatchValidator.Validate(new ReadOnlySequence<byte>(batch.Bytes()), Rules with { RequireKeys = true });
            Assert.Equal(ErrorCode.InvalidRecord, verdict.Error);
            Assert.Equal([1, 2], verdict.RecordErrors!.Select(e => e.BatchIndex));
        }
    }

    [Fact]
    public void Untimely_records_are_named()
    {
        byte[] body = [.. RawBatch.Record(0), .. RawBatch.Record(1, timestampDelta: 7_200_000), .. RawBatch.Record(2, timestampDelta: -7_200_000)];
        var batch = new ReadOnlySequence<byte>(new RawBatch { Count = 3, Body = body }.Bytes());
        RecordBatchVerdict verdict = RecordBatchValidator.Validate(batch, Rules with { TimestampBeforeMaxMs = 1000 });
        Assert.Equal(ErrorCode.InvalidTimestamp, verdict.Error);
        Assert.Equal([1, 2], verdict.RecordErrors!.Select(e => e.BatchIndex));
    }

    [Fact]
    public void With_log_append_time_only_the_type_matters()
    {
        RecordBatchRules rules = Rules with { LogAppendTime = true };
        var late = new ReadOnlySequence<byte>(new RawBatch { BaseTimestamp = RawBatch.Now + 7_200_000 }.Bytes());
        Assert.True(RecordBatchValidator.Validate(late, rules).Ok);
        var typed = new ReadOnlySequence<byte>(new RawBatch { Attributes = 8 }.Bytes());
        RecordBatchVerdict verdict = RecordBatchValidator.Validate(typed, rules);
        Assert.Equal(ErrorCode.InvalidTimestamp, verdict.Error);
        Assert.Equal([0, 1], verdict.RecordErrors!.Select(e => e.BatchIndex));
    }

    [Fact]
    public void Allocates_nothing_for_a_good_batch()
    {
        ReadOnlySequence<byte> whole = new(Good), chunked = Sequences.Chunked(Good, 7);
        for (int i = 0; i < 100; i++)
            Assert.True(RecordBatchValidator.Validate(whole, Rules).Ok && RecordBatchValidator.Validate(chunked, Rules).Ok);
        // The runtime may allocate once while it replaces the code that is measured; what validating allocates, it allocates each time.
        long least = long.MaxValue;
        for (int tries = 0; tries < 5 && least > 0; tries++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
                _ = RecordBatchValidator.Validate(whole, Rules).Ok && RecordBatchValidator.Validate(chunked, Rules).Ok;
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.Equal(0, least);
    }
}
