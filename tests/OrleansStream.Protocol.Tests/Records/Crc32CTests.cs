using System.Buffers;
using System.Text;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Tests.Records;

public class Crc32CTests
{
    [Theory]
    [InlineData("", 0u)]
    [InlineData("a", 0xC1D04330u)]
    [InlineData("123456789", 0xE3069283u)]
    [InlineData("The quick brown fox jumps over the lazy dog", 0x22620404u)]
    public void Known_values(string text, uint expected)
    {
        byte[] data = Encoding.ASCII.GetBytes(text);
        Assert.Equal(expected, Crc32C.Compute(data));
        Assert.Equal(expected, Crc32C.AppendByTables(0, data));
    }

    [Fact]
    public void Values_of_rfc_3720()
    {
        Assert.Equal(0x8A9136AAu, Crc32C.Compute(new byte[32]));
        Assert.Equal(0x62A8AB43u, Crc32C.Compute(Enumerable.Repeat((byte)0xFF, 32).ToArray()));
        Assert.Equal(0x46DD794Eu, Crc32C.Compute(Enumerable.Range(0, 32).Select(i => (byte)i).ToArray()));
    }

    [Fact]
    public void Instruction_tables_and_bits_agree_at_every_length_and_alignment()
    {
        var data = new byte[20_000];
        new Random(1).NextBytes(data);
        foreach (int length in Enumerable.Range(0, 40).Concat([1023, 1024, 3071, 3072, 3073, 3080, 6143, 6144, 9999, 19_990]))
            for (int start = 0; start < 9; start++)
            {
                ReadOnlySpan<byte> part = data.AsSpan(start, length);
                uint expected = Bitwise(part);
                Assert.Equal(expected, Crc32C.Compute(part));
                Assert.Equal(expected, Crc32C.AppendByTables(0, part));
            }
    }

    [Fact]
    public void Goes_on_over_any_split()
    {
        var data = new byte[9000];
        new Random(2).NextBytes(data);
        uint whole = Crc32C.Compute(data);
        for (int cut = 0; cut <= data.Length; cut += 7)
        {
            Assert.Equal(whole, Crc32C.Append(Crc32C.Compute(data.AsSpan(0, cut)), data.AsSpan(cut)));
            Assert.Equal(whole, Crc32C.Compute(Sequences.Split(data, cut)));
        }
    }

    [Fact]
    public void Combines_two_checksums_at_any_length()
    {
        var data = new byte[100_003];
        new Random(3).NextBytes(data);
        foreach (int cut in new[] { 0, 1, 2, 3, 7, 8, 255, 256, 1000, 1023, 1024, 65_535, 65_536, 99_999, 100_003 })
            Assert.Equal(Crc32C.Compute(data), Crc32C.Combine(Crc32C.Compute(data.AsSpan(0, cut)), Crc32C.Compute(data.AsSpan(cut)), data.Length - cut));
    }

    [Fact]
    public void The_checksum_of_batches_follows_from_theirs()
    {
        var random = new Random(4);
        var batches = new List<byte>();
        for (int i = 0; i < 40; i++)
        {
            using var builder = new RecordBatchBuilder { BaseOffset = i };
            builder.Append(i, default, Compression.Contents.Make(0, random.Next(i % 3 == 0 ? 50_000 : 3000), i));
            byte[] batch = builder.Build();
            Assert.Equal(
                Crc32C.Append(77, batch),
                BatchChecksums.Append(77, Sequences.Chunked(batch, 1000), RecordBatchHeader.Read(batch)));
            batches.AddRange(batch);
        }
        byte[] all = [.. batches];
        Assert.Equal(Crc32C.Append(5, all), BatchChecksums.Append(5, all));
        // What is no batch is summed as it is, from its first byte on.
        byte[] torn = all[..^1000];
        Assert.Equal(Crc32C.Append(5, torn), BatchChecksums.Append(5, torn));
        Assert.Equal(Crc32C.Append(5, all.AsSpan(1)), BatchChecksums.Append(5, all.AsSpan(1)));
        Assert.Equal(Crc32C.Compute(new byte[10_000]), BatchChecksums.Append(0, new byte[10_000]));
    }

    private static uint Bitwise(ReadOnlySpan<byte> data)
    {
        uint register = uint.MaxValue;
        foreach (byte b in data)
        {
            register ^= b;
            for (int i = 0; i < 8; i++)
                register = (register & 1) != 0 ? register >> 1 ^ 0x82F63B78 : register >> 1;
        }
        return ~register;
    }
}
