using OrleansStream.Protocol.Records;

namespace OrleansStream.Protocol.Compression;

/// <summary>Constants of zstd (RFC 8878).</summary>
internal static class ZstdFormat
{
    public const uint Magic = 0xFD2FB528;
    public const uint SkippableMagic = 0x184D2A50;
    public const uint SkippableMask = 0xFFFFFFF0;

    public const int MaxBlock = 128 * 1024;
    public const int MinMatch = 3;
    public const int MaxHuffmanBits = 11;
    public const int MaxHuffmanSymbols = 256;

    public const int BlockRaw = 0, BlockRle = 1, BlockCompressed = 2;
    public const int LiteralsRaw = 0, LiteralsRle = 1, LiteralsCompressed = 2, LiteralsTreeless = 3;
    public const int ModePredefined = 0, ModeRle = 1, ModeFse = 2, ModeRepeat = 3;

    /// <summary>The distances that an offset value of 1, 2 or 3 means at the beginning of a frame.</summary>
    public static ReadOnlySpan<int> FirstDistances => [1, 4, 8];

    public static ReadOnlySpan<int> LiteralLengthBase =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192,
        16384, 32768, 65536,
    ];

    public static ReadOnlySpan<byte> LiteralLengthBits =>
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

    public static ReadOnlySpan<int> MatchLengthBase =>
    [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 37, 39, 41,
        43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539,
    ];

    public static ReadOnlySpan<byte> MatchLengthBits =>
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9,
        10, 11, 12, 13, 14, 15, 16,
    ];

    /// <summary>How often each code is taken to occur where a block does not say (normalized; -1 is less than once).</summary>
    public static ReadOnlySpan<short> LiteralLengthDistribution =>
        [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1];

    public static ReadOnlySpan<short> MatchLengthDistribution =>
    [
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        -1, -1, -1, -1, -1, -1, -1,
    ];

    public static ReadOnlySpan<short> OffsetDistribution =>
        [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];

    public const int LiteralLengthLog = 6, MatchLengthLog = 6, OffsetLog = 5;
    public const int MaxLiteralLengthLog = 9, MaxMatchLengthLog = 9, MaxOffsetLog = 8;
    public const int MaxOffsetCode = 31;

    public static CorruptRecordsException Malformed(string what) => new($"Malformed zstd: {what}.");
}
