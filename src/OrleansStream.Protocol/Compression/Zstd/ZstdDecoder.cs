using System.Buffers.Binary;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Compression;

/// <summary>
/// Reads zstd frames (RFC 8878), one behind the other, skippable ones left out. Dictionaries are refused: nobody could know them.
/// The whole output stays in one buffer, so the window costs nothing and its size is not looked at.
/// </summary>
internal static class ZstdDecoder
{
    // One kept for each thread: its tables take 170 KiB. Taken out while in use.
    [ThreadStatic]
    private static ZstdBlocks? _cached;

    public static void Decompress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        ZstdBlocks blocks = _cached ?? new ZstdBlocks();
        _cached = null;
        if (source.IsEmpty)
            throw ZstdFormat.Malformed("there is nothing");
        while (!source.IsEmpty)
        {
            if (source.Length < 4)
                throw ZstdFormat.Malformed("a magic number that is cut off");
            uint magic = BinaryPrimitives.ReadUInt32LittleEndian(source);
            source = source[4..];
            if (magic == ZstdFormat.Magic)
                source = ReadFrame(source, destination, blocks);
            else if ((magic & ZstdFormat.SkippableMask) == ZstdFormat.SkippableMagic)
                source = SkipFrame(source);
            else
                throw ZstdFormat.Malformed("an unknown magic number");
        }
        _cached = blocks;
    }

    private static ReadOnlySpan<byte> SkipFrame(ReadOnlySpan<byte> source)
    {
        if (source.Length < 4)
            throw ZstdFormat.Malformed("a skippable frame that is cut off");
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(source);
        if (size > source.Length - 4)
            throw ZstdFormat.Malformed("a skippable frame that is cut off");
        return source[(4 + (int)size)..];
    }

    /// <summary>Reads one frame behind its magic number and returns what follows it.</summary>
    private static ReadOnlySpan<byte> ReadFrame(ReadOnlySpan<byte> source, PooledBuffer destination, ZstdBlocks blocks)
    {
        FrameHeader header = ReadHeader(ref source);
        if (header.ContentSize is ulong declared && declared > (ulong)(destination.Limit - destination.Length))
            throw new CorruptRecordsException("A zstd frame of more bytes than are allowed.") { TooLarge = true };

        int start = destination.Length;
        blocks.BeginFrame(start);
        bool last = false;
        while (!last)
        {
            if (source.Length < 3)
                throw ZstdFormat.Malformed("a block that is cut off");
            int head = source[0] | source[1] << 8 | source[2] << 16;
            source = source[3..];
            last = (head & 1) != 0;
            int type = head >> 1 & 3;
            int size = head >> 3;
            if (size > header.MaxBlock)
                throw ZstdFormat.Malformed("a block that is too large");
            int stored = type == ZstdFormat.BlockRle ? 1 : size;
            if (stored > source.Length)
                throw ZstdFormat.Malformed("a block that is cut off");
            switch (type)
            {
                case ZstdFormat.BlockRaw:
                    destination.Write(source[..size]);
                    break;
                case ZstdFormat.BlockRle:
                    destination.Reserve(size).Fill(source[0]);
                    destination.Advance(size);
                    break;
                case ZstdFormat.BlockCompressed:
                    blocks.Decode(source[..size], destination, header.MaxBlock);
                    break;
                default:
                    throw ZstdFormat.Malformed("a block of a reserved type");
            }
            source = source[stored..];
        }

        ReadOnlySpan<byte> content = destination.WrittenSpan[start..];
        if (header.ContentSize is ulong size64 && size64 != (ulong)content.Length)
            throw ZstdFormat.Malformed("its content is not as long as it says");
        if (!header.HasChecksum)
            return source;
        if (source.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(source) != (uint)XxHash.Hash64(content))
            throw ZstdFormat.Malformed("the checksum of its content is wrong");
        return source[4..];
    }

    private static FrameHeader ReadHeader(ref ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            throw ZstdFormat.Malformed("a frame header that is cut off");
        int descriptor = source[0];
        bool singleSegment = (descriptor & 0x20) != 0;
        if ((descriptor & 0x08) != 0)
            throw ZstdFormat.Malformed("a reserved bit is set");
        int windowBytes = singleSegment ? 0 : 1;
        int dictionaryBytes = (descriptor & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 };
        int sizeBytes = (descriptor >> 6) switch { 0 => singleSegment ? 1 : 0, 1 => 2, 2 => 4, _ => 8 };
        int length = 1 + windowBytes + dictionaryBytes + sizeBytes;
        if (length > source.Length)
            throw ZstdFormat.Malformed("a frame header that is cut off");
        if (ReadLittleEndian(source.Slice(1 + windowBytes, dictionaryBytes)) != 0)
            throw ZstdFormat.Malformed("a dictionary, which nobody has");

        ulong contentSize = ReadLittleEndian(source.Slice(1 + windowBytes + dictionaryBytes, sizeBytes)) + (sizeBytes == 2 ? 256u : 0u);
        ulong window = contentSize;
        if (!singleSegment)
        {
            ulong whole = 1UL << (10 + (source[1] >> 3));
            window = whole + whole / 8 * (ulong)(source[1] & 7);
        }
        source = source[length..];
        return new FrameHeader(sizeBytes == 0 ? null : contentSize, (int)Math.Min(window, ZstdFormat.MaxBlock), (descriptor & 4) != 0);
    }

    private static ulong ReadLittleEndian(ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int i = bytes.Length - 1; i >= 0; i--)
            value = value << 8 | bytes[i];
        return value;
    }

    private readonly record struct FrameHeader(ulong? ContentSize, int MaxBlock, bool HasChecksum);
}
