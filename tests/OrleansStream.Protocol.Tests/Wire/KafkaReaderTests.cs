using System.Buffers;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Protocol.Tests.Wire;

public class KafkaReaderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    public void Primitives_come_back_over_any_segments(int size)
    {
        using var w = new KafkaWriter(1);
        var uuid = new Guid("00112233-4455-6677-8899-aabbccddeeff");
        w.WriteBool(true);
        w.WriteInt8(-3);
        w.WriteInt16(short.MinValue);
        w.WriteUInt16(ushort.MaxValue);
        w.WriteInt32(int.MinValue);
        w.WriteUInt32(uint.MaxValue);
        w.WriteInt64(long.MinValue);
        w.WriteFloat64(-0.1);
        w.WriteUuid(uuid);
        w.WriteUnsignedVarint(uint.MaxValue);
        w.WriteVarint(int.MinValue);
        w.WriteVarlong(long.MinValue);
        w.WriteString(true, "päper");
        w.WriteString(false, "päper");
        w.WriteNullableString(true, null);
        w.WriteNullableString(false, null);
        w.WriteNullableBytes(true, null);
        w.WriteBytes(false, [1, 2, 3]);
        w.WriteInt32Array(true, [1, -2, int.MaxValue]);
        w.WriteInt64Array(false, null);
        byte[] bytes = Bytes(w);
        Assert.Equal(uuid.ToByteArray(bigEndian: true), bytes.AsSpan(30, 16).ToArray());

        var r = new KafkaReader(Segments.Of(bytes, size));
        Assert.True(r.ReadBool());
        Assert.Equal(-3, r.ReadInt8());
        Assert.Equal(short.MinValue, r.ReadInt16());
        Assert.Equal(ushort.MaxValue, r.ReadUInt16());
        Assert.Equal(int.MinValue, r.ReadInt32());
        Assert.Equal(uint.MaxValue, r.ReadUInt32());
        Assert.Equal(long.MinValue, r.ReadInt64());
        Assert.Equal(-0.1, r.ReadFloat64());
        Assert.Equal(uuid, r.ReadUuid());
        Assert.Equal(uint.MaxValue, r.ReadUnsignedVarint());
        Assert.Equal(int.MinValue, r.ReadVarint());
        Assert.Equal(long.MinValue, r.ReadVarlong());
        Assert.Equal("päper", r.ReadString(true));
        Assert.Equal("päper", r.ReadString(false));
        Assert.Null(r.ReadNullableString(true));
        Assert.Null(r.ReadNullableString(false));
        Assert.Null(r.ReadNullableBytes(true));
        Assert.Equal([1, 2, 3], r.ReadBytes(false));
        Assert.Equal([1, -2, int.MaxValue], r.ReadInt32Array(true)!);
        Assert.Null(r.ReadInt64Array(false));
        Assert.Equal(0, r.Remaining);
        r.ExpectEnd();
    }

    [Theory]
    [InlineData("ff ff ff ff 0f")] // compact length of 4 GiB - 2
    [InlineData("80 80 80 80 08")] // compact length of 2 GiB - 1
    [InlineData("80 80 80 80 80 01")] // a varint of six bytes
    [InlineData("05 61 62")] // four bytes said, two there
    public void A_compact_string_that_lies_is_refused(string hex)
    {
        byte[] bytes = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        Assert.Throws<ProtocolException>(() => new KafkaReader(bytes).ReadString(true));
        Assert.Throws<ProtocolException>(() => new KafkaReader(bytes).ReadNullableBytes(true));
        Assert.Throws<ProtocolException>(() => new KafkaReader(bytes).ReadNullableRecords(true));
        Assert.Throws<ProtocolException>(() => new KafkaReader(bytes).ReadNullableListLength(true, 1));
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    [InlineData(-2)]
    [InlineData(5)]
    public void A_length_beyond_the_frame_is_refused(int length)
    {
        using var w = new KafkaWriter();
        w.WriteInt32(length);
        w.WriteInt32(0);
        byte[] bytes = Bytes(w);
        Assert.Throws<ProtocolException>(() => new KafkaReader(bytes).ReadNullableBytes(false));
        Assert.Throws<ProtocolException>(() => new KafkaReader(bytes).ReadNullableRecords(false));
        Assert.Throws<ProtocolException>(() =>
        {
            var r = new KafkaReader(bytes);
            r.ReadInt32Array(false);
        });
        Assert.Throws<ProtocolException>(() =>
        {
            var r = new KafkaReader(bytes);
            r.ReadUuidArray(false);
        });
        Assert.Throws<ProtocolException>(() => new KafkaReader(bytes).ReadListLength(false, 1));
    }

    [Fact]
    public void Null_where_a_value_is_due_is_refused()
    {
        byte[] nulls = [0xff, 0xff, 0xff, 0xff];
        Assert.Throws<ProtocolException>(() => new KafkaReader(nulls).ReadString(false));
        Assert.Throws<ProtocolException>(() => new KafkaReader(nulls).ReadBytes(false));
        Assert.Throws<ProtocolException>(() => new KafkaReader(nulls).ReadRecords(false));
        Assert.Throws<ProtocolException>(() => new KafkaReader(nulls).ReadListLength(false, 1));
    }

    [Fact]
    public void More_list_elements_than_anyone_needs_are_refused_before_they_fill_the_memory()
    {
        byte[] frame = new byte[4 * (KafkaReader.MaxListElements + 2)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(frame, KafkaReader.MaxListElements + 1);
        Assert.Throws<ProtocolException>(() =>
        {
            var r = new KafkaReader(frame);
            MetadataRequest.Read(ref r, 1);
        });
    }

    [Fact]
    public void Records_are_a_slice_of_the_frame()
    {
        byte[] frame = [0, 0, 0, 3, 7, 8, 9, 1];
        var r = new KafkaReader(frame);
        ReadOnlySequence<byte> records = r.ReadRecords(false);
        frame[4] = 42;
        Assert.Equal([42, 8, 9], records.ToArray());
        Assert.Equal(1, r.Remaining);
        Assert.Throws<ProtocolException>(() =>
        {
            var again = new KafkaReader(frame);
            again.ReadRecords(false);
            again.ExpectEnd();
        });
    }

    [Fact]
    public void Bytes_that_are_no_UTF8_become_replacement_characters()
    {
        byte[] bytes = [0, 2, 0xc3, 0x28];
        Assert.Equal("\ufffd(", new KafkaReader(bytes).ReadString(false));
    }

    private static byte[] Bytes(KafkaWriter w)
    {
        var copy = new ArrayBufferWriter<byte>();
        w.CopyTo(copy);
        return copy.WrittenSpan.ToArray();
    }
}
