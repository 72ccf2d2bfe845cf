namespace OrleansStream.Storage.Journals.Blob;

/// <summary>
/// The object that takes a sequence away from a journal's writer: a header of kind <see cref="BlockKind.FenceMarker"/> and the 16 bytes of a random id of
/// the fencer. 96 bytes is a length that no data object has (80 without entries, at least 128 with), so that a list already shows where markers are.
/// </summary>
internal static class FenceMarker
{
    public const int Length = BlockHeader.Size + 16;

    public static byte[] Make(Guid journalId, long sequence, Guid fencer, long nowMs)
    {
        var bytes = new byte[Length];
        new BlockHeader(BlockKind.FenceMarker, journalId, sequence, 0, nowMs, 0, 0, 0, 0, 0).WriteWhole(bytes);
        fencer.TryWriteBytes(bytes.AsSpan(BlockHeader.Size), bigEndian: true, out _);
        return bytes;
    }
}
