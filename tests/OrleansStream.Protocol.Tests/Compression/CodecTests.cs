using System.Buffers.Binary;
using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Tests.Compression;

public class CodecTests
{
    public static TheoryData<CompressionCodec> AllCodecs => [CompressionCodec.None, CompressionCodec.Gzip, CompressionCodec.Snappy, CompressionCodec.Lz4, CompressionCodec.Zstd];

    [Theory]
    [MemberData(nameof(AllCodecs))]
    public void Gives_back_what_it_was_given(CompressionCodec codec)
    {
        int[] lengths = [0, 1, 2, 3, 4, 5, 11, 12, 13, 16, 63, 64, 65, 255, 256, 257, 1000, 1023, 1024, 4096, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537,
            131_071, 131_072, 131_073, 300_000];
        for (int kind = 0; kind < Contents.Kinds; kind++)
            foreach (int length in lengths)
            {
                byte[] content = Contents.Make(kind, length, length + kind);
                byte[] compressed = Compress(codec, content);
                Assert.True(content.AsSpan().SequenceEqual(Decompress(codec, compressed, content.Length)), $"kind {kind}, {length} bytes");
            }
    }

    [Theory]
    [MemberData(nameof(AllCodecs))]
    public void Gives_back_several_megabytes(CompressionCodec codec)
    {
        for (int kind = 0; kind < Contents.Kinds; kind++)
        {
            byte[] content = Contents.Make(kind, 2_500_000 + kind, kind);
            byte[] compressed = Compress(codec, content);
            Assert.True(content.AsSpan().SequenceEqual(Decompress(codec, compressed, content.Length)), $"kind {kind}");
            if (codec != CompressionCodec.None && kind is 1 or 2 or 3)
                Assert.True(compressed.Length < content.Length / 2, $"kind {kind}: {compressed.Length} bytes");
        }
    }

    [Theory]
    [MemberData(nameof(AllCodecs))]
    public void Goes_up_to_the_limit_and_not_beyond(CompressionCodec codec)
    {
        foreach (int kind in new[] { 0, 1, 2 })
        {
            byte[] content = Contents.Make(kind, 200_000, 7);
            byte[] compressed = Compress(codec, content);
            Assert.Equal(content.Length, Decompress(codec, compressed, content.Length).Length);
            foreach (int limit in new[] { content.Length - 1, 100_000, 1, 0 })
                Assert.True(Assert.Throws<CorruptRecordsException>(() => Decompress(codec, compressed, limit)).TooLarge);
        }
    }

    [Theory]
    [MemberData(nameof(AllCodecs))]
    public void Writes_behind_what_the_buffer_holds_and_copies_only_from_its_own(CompressionCodec codec)
    {
        byte[] content = Contents.Make(2, 10_000, 3);
        using var compressed = new PooledBuffer(1 << 20);
        compressed.Write([1, 2, 3]);
        Codecs.Compress(codec, content, compressed);
        using var output = new PooledBuffer(1 << 20);
        output.Write([9, 9]);
        Codecs.Decompress(codec, compressed.WrittenSpan[3..], output);
        Assert.Equal(content, output.WrittenSpan[2..].ToArray());
    }

    [Theory]
    [InlineData(CompressionCodec.Snappy)]
    [InlineData(CompressionCodec.Lz4)]
    [InlineData(CompressionCodec.Zstd)]
    public void An_input_that_is_cut_off_is_refused(CompressionCodec codec)
    {
        byte[] compressed = Compress(codec, Contents.Make(3, 5000, 1));
        for (int length = 0; length < compressed.Length; length++)
        {
            // Framed snappy says nowhere how many blocks there are; zero bytes may be raw snappy's empty block, but the header has to be whole.
            if (codec == CompressionCodec.Snappy && length == 16)
                continue;
            Assert.Throws<CorruptRecordsException>(() => Decompress(codec, compressed[..length], 1 << 20));
        }
    }

    [Fact]
    public void Unknown_codecs_are_refused()
    {
        for (int codec = 5; codec < 8; codec++)
            Assert.Throws<CorruptRecordsException>(() => Decompress((CompressionCodec)codec, [1, 2, 3], 100));
    }

    [Fact]
    public void A_zstd_stream_may_have_several_frames_and_some_to_skip()
    {
        byte[] one = Contents.Make(2, 1000, 1), two = Contents.Make(3, 2000, 2);
        var skippable = new byte[8 + 5];
        BinaryPrimitives.WriteUInt32LittleEndian(skippable, 0x184D2A53);
        skippable[4] = 5;
        byte[] stream = [.. skippable, .. Compress(CompressionCodec.Zstd, one), .. skippable, .. Compress(CompressionCodec.Zstd, two)];
        Assert.Equal([.. one, .. two], Decompress(CompressionCodec.Zstd, stream, 3000));
    }

    [Fact]
    public void Xxhash_gives_the_known_values()
    {
        byte[] text = "Nobody inspects the spammish repetition"u8.ToArray();
        Assert.Equal(0x02CC5D05u, XxHash.Hash32([]));
        Assert.Equal(0xE2293B2Fu, XxHash.Hash32(text));
        Assert.Equal(0xEF46DB3751D8E999ul, XxHash.Hash64([]));
        Assert.Equal(0xFBCEA83C8A378BF1ul, XxHash.Hash64(text));
    }

    internal static byte[] Compress(CompressionCodec codec, ReadOnlySpan<byte> content)
    {
        using var buffer = new PooledBuffer(int.MaxValue / 2);
        Codecs.Compress(codec, content, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    internal static byte[] Decompress(CompressionCodec codec, ReadOnlySpan<byte> source, int limit)
    {
        using var buffer = new PooledBuffer(limit);
        Codecs.Decompress(codec, source, buffer);
        return buffer.WrittenSpan.ToArray();
    }
}
