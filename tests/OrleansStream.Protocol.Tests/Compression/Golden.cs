using OrleansStream.Protocol.Compression;

namespace OrleansStream.Protocol.Tests.Compression;

/// <summary>
/// Inputs that other implementations compressed: the lz4 and zstd tools of Debian 12, python-snappy, and the codecs of the Java client 4.3.1.
/// The folder Golden holds `name.content` and, for each variant, `name.variant.codec`.
/// </summary>
internal static class Golden
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Compression", "Golden");

    public static IEnumerable<(string Name, byte[] Compressed, byte[] Content)> Inputs(CompressionCodec codec)
    {
        string[] files = Directory.GetFiles(Folder, "*." + codec.ToString().ToLowerInvariant());
        Assert.NotEmpty(files);
        foreach (string file in files.Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(file);
            yield return (name, File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(Folder, name.Split('.')[0] + ".content")));
        }
    }
}

public class GoldenTests
{
    [Theory]
    [InlineData(CompressionCodec.Gzip)]
    [InlineData(CompressionCodec.Snappy)]
    [InlineData(CompressionCodec.Lz4)]
    [InlineData(CompressionCodec.Zstd)]
    public void Reads_what_others_compressed(CompressionCodec codec)
    {
        foreach ((string name, byte[] compressed, byte[] content) in Golden.Inputs(codec))
            Assert.True(content.AsSpan().SequenceEqual(CodecTests.Decompress(codec, compressed, content.Length)), name);
    }
}
