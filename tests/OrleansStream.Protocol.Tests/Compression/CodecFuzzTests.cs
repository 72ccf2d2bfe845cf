using OrleansStream.Protocol.Compression;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Tests.Compression;

/// <summary>
/// Whatever is done to a compressed input, a decompressor ends with some output within the limit, or with the one exception. Not covered: time;
/// every step of every decoder uses up input or output. The library decodes gzip; it is here for the exception.
/// </summary>
public class CodecFuzzTests
{
    private const int Limit = 1 << 18;

    [Theory]
    [InlineData(CompressionCodec.Gzip, 300)]
    [InlineData(CompressionCodec.Snappy, 1500)]
    [InlineData(CompressionCodec.Lz4, 1500)]
    [InlineData(CompressionCodec.Zstd, 3000)]
    public void Mutated_inputs_end_in_order(CompressionCodec codec, int rounds)
    {
        List<byte[]> corpus = [.. Golden.Inputs(codec).Select(g => g.Compressed)];
        for (int kind = 0; kind < Contents.Kinds; kind++)
            foreach (int length in new[] { 0, 1, 20, 300, 3000, 40_000 })
                corpus.Add(CodecTests.Compress(codec, Contents.Make(kind, length, kind)));

        int refused = 0;
        for (int seed = 0; seed < rounds; seed++)
        {
            var random = new Random(seed);
            byte[] input = Mutate(corpus[random.Next(corpus.Count)], corpus, random);
            try
            {
                Assert.InRange(CodecTests.Decompress(codec, input, Limit).Length, 0, Limit);
            }
            catch (CorruptRecordsException)
            {
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
        Assert.InRange(refused, rounds / 10, rounds);
    }

    private static byte[] Mutate(byte[] original, List<byte[]> corpus, Random random)
    {
        var bytes = new List<byte>(original);
        int times = 1 + random.Next(4);
        for (int i = 0; i < times; i++)
        {
            // Heads decide more than bodies, so half of the changes fall there.
            int at = random.Next(random.Next(2) == 0 ? Math.Min(bytes.Count, 40) + 1 : bytes.Count + 1);
            switch (random.Next(7))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2 when at < bytes.Count:
                    bytes[at] = (byte)(random.Next(2) * 255);
                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(bytes.Count - at, random.Next(20)));
                    break;
                case 4:
                    bytes.InsertRange(at, Contents.Make(random.Next(2), random.Next(20), random.Next()));
                    break;
                case 5:
                    byte[] other = corpus[random.Next(corpus.Count)];
                    int from = random.Next(other.Length + 1);
                    bytes.InsertRange(at, other[from..Math.Min(other.Length, from + random.Next(200))]);
                    break;
                default:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
        }
        return [.. bytes];
    }
}
