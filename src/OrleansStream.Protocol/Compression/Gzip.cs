using System.IO.Compression;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Compression;

/// <summary>
/// gzip (RFC 1952), by the library of .NET. It takes input that is cut off for finished; the records' own lengths and count show that then.
/// </summary>
internal static class Gzip
{
    /// <summary>What gzip makes of nothing; the library writes nothing then, which others cannot read.</summary>
    private static ReadOnlySpan<byte> EmptyMember => [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    public static unsafe void Decompress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        if (source.IsEmpty)
            throw new CorruptRecordsException("Malformed gzip: there is nothing.");
        fixed (byte* start = source)
        {
            using var input = new UnmanagedMemoryStream(start, source.Length);
            using var gzip = new GZipStream(input, CompressionMode.Decompress);
            Span<byte> beyond = stackalloc byte[1];
            try
            {
                // A full buffer is only asked to grow once there is one byte more than it holds.
                while (true)
                {
                    bool full = destination.Limit == destination.Length;
                    int read = gzip.Read(full ? beyond : destination.GetSpan());
                    if (read == 0)
                        break;
                    if (full)
                        destination.Write(beyond);
                    else
                        destination.Advance(read);
                }
            }
            catch (InvalidDataException e)
            {
                throw new CorruptRecordsException("Malformed gzip: " + e.Message, e);
            }
        }
    }

    public static void Compress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        if (source.IsEmpty)
        {
            destination.Write(EmptyMember);
            return;
        }
        using var output = new MemoryStream(source.Length / 2 + 64);
        using (var gzip = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(source);
        destination.Write(output.GetBuffer().AsSpan(0, (int)output.Length));
    }
}
