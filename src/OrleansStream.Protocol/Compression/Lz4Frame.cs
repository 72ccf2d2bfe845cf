using System.Buffers.Binary;
using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Compression;

/// <summary>
/// An lz4 frame (format 1.6): independent or linked blocks, any of its checksums, content size or not. As Kafka's Java client does, one frame
/// is read, and what follows it is ignored. Written are independent blocks of 64 KiB without checksums, since the batch has its own.
/// </summary>
internal static class Lz4Frame
{
    private const uint Magic = 0x184D2204;
    private const byte Version = 1 << 6, VersionMask = 3 << 6;
    private const byte IndependentBlocks = 1 << 5, BlockChecksums = 1 << 4, ContentSize = 1 << 3, ContentChecksum = 1 << 2, Reserved = 1 << 1, Dictionary = 1;
    private const byte BlocksOf64KiB = 4 << 4;
    private const uint Uncompressed = 1u << 31;

    public static void Decompress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        int at = 0;
        if (ReadWord(source, ref at) != Magic)
            throw Malformed("it does not begin with the magic number");
        byte flags = ReadByte(source, ref at);
        byte sizes = ReadByte(source, ref at);
        int sizeCode = sizes >> 4;
        if ((flags & VersionMask) != Version || (flags & Reserved) != 0 || (sizes & 0x8F) != 0 || sizeCode < 4)
            throw Malformed("an unknown version or reserved bits");
        if ((flags & Dictionary) != 0)
            throw Malformed("a dictionary, which nobody has");
        int maxBlock = 1 << (8 + 2 * sizeCode);
        ulong contentSize = 0;
        if ((flags & ContentSize) != 0)
        {
            contentSize = ReadWord(source, ref at) | (ulong)ReadWord(source, ref at) << 32;
            if (contentSize > (ulong)(destination.Limit - destination.Length))
                throw new CorruptRecordsException("An lz4 frame of more bytes than are allowed.") { TooLarge = true };
        }
        byte descriptorSum = (byte)(XxHash.Hash32(source[4..at]) >> 8);
        if (ReadByte(source, ref at) != descriptorSum)
            throw Malformed("the checksum of its descriptor is wrong");

        int start = destination.Length;
        while (ReadWord(source, ref at) is var word && word != 0)
        {
            long size = word & ~Uncompressed;
            if (size > source.Length - at || size > maxBlock)
                throw Malformed("a block that is cut off or too large");
            ReadOnlySpan<byte> block = source.Slice(at, (int)size);
            at += (int)size;
            if ((flags & BlockChecksums) != 0 && ReadWord(source, ref at) != XxHash.Hash32(block))
                throw Malformed("the checksum of a block is wrong");
            if ((word & Uncompressed) != 0)
                destination.Write(block);
            else
                Lz4Block.Decompress(block, destination, (flags & IndependentBlocks) != 0 ? destination.Length : start, maxBlock);
        }
        ReadOnlySpan<byte> content = destination.WrittenSpan[start..];
        if ((flags & ContentChecksum) != 0 && ReadWord(source, ref at) != XxHash.Hash32(content))
            throw Malformed("the checksum of its content is wrong");
        if ((flags & ContentSize) != 0 && contentSize != (ulong)content.Length)
            throw Malformed("its content is not as long as it says");
    }

    public static void Compress(ReadOnlySpan<byte> source, PooledBuffer destination)
    {
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(word, Magic);
        destination.Write(word);
        ReadOnlySpan<byte> descriptor = [Version | IndependentBlocks, BlocksOf64KiB];
        destination.Write(descriptor);
        destination.WriteByte((byte)(XxHash.Hash32(descriptor) >> 8));

        while (!source.IsEmpty)
        {
            ReadOnlySpan<byte> block = source[..Math.Min(source.Length, Lz4Block.MaxEncodedInput)];
            source = source[block.Length..];
            int sizeAt = destination.Length;
            destination.Write(word);
            Lz4Block.Compress(block, destination);
            int size = destination.Length - sizeAt - 4;
            if (size < block.Length)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(destination.Written[sizeAt..], (uint)size);
                continue;
            }
            destination.Truncate(sizeAt + 4);
            destination.Write(block);
            BinaryPrimitives.WriteUInt32LittleEndian(destination.Written[sizeAt..], (uint)block.Length | Uncompressed);
        }
        word.Clear();
        destination.Write(word);
    }

    private static byte ReadByte(ReadOnlySpan<byte> source, ref int at) =>
        at < source.Length ? source[at++] : throw Malformed("it is cut off");

    private static uint ReadWord(ReadOnlySpan<byte> source, ref int at)
    {
        if (source.Length - at < 4)
            throw Malformed("it is cut off");
        at += 4;
        return BinaryPrimitives.ReadUInt32LittleEndian(source[(at - 4)..]);
    }

    private static CorruptRecordsException Malformed(string what) => new($"Malformed lz4 frame: {what}.");
}
