using OrleansStream.Protocol.Records;

namespace OrleansStream.Storage.Journals;

/// <summary>
/// One group commit: the entries of many partitions, laid out as the parts of one write: headers in a buffer of its own, payloads where they are.
/// Reused, so that a steady journal allocates nothing.
/// </summary>
internal sealed class Commit
{
    private static readonly byte[] s_zeros = new byte[4096];
    private readonly List<ReadOnlyMemory<byte>> _parts = [];
    private byte[] _headers = new byte[BlockHeader.Size + 64 * EntryCodec.HeaderSize];

    public List<JournalEntry> Entries { get; } = [];

    /// <summary>Bytes of the entries with their headers.</summary>
    public long EntriesLength { get; private set; }

    public BlockHeader Header { get; private set; }

    /// <summary>What is to be written, after <see cref="Seal"/>.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Parts => _parts;

    /// <summary>The sum of the lengths of <see cref="Parts"/>.</summary>
    public long Length { get; private set; }

    public long PayloadBytes => EntriesLength - (long)Entries.Count * EntryCodec.HeaderSize;

    public void Add(JournalEntry entry)
    {
        Entries.Add(entry);
        EntriesLength += SizeOf(entry);
    }

    public static long SizeOf(JournalEntry entry) => EntryCodec.HeaderSize + entry.Payload.Length;

    /// <summary>The length of a write that holds these entries, padded to a multiple of <paramref name="alignment"/>.</summary>
    public long PaddedLength(int alignment) => (BlockHeader.Size + EntriesLength + alignment - 1) / alignment * alignment;

    /// <summary>Gives the commit its number and lays it out; the checksum is in <see cref="Header"/>.</summary>
    public void Seal(BlockKind kind, Guid incarnation, long number, long lowestKept, long durableBelow, long nowMs, uint previousChecksum, int alignment)
    {
        var size = BlockHeader.Size + Entries.Count * EntryCodec.HeaderSize;
        if (_headers.Length < size)
        {
            _headers = new byte[Math.Max(size, _headers.Length * 2)];
        }

        var header = new BlockHeader(kind, incarnation, number, lowestKept, nowMs, EntriesLength, Entries.Count, previousChecksum, durableBelow, 0);
        var checksum = header.Begin(_headers);
        _parts.Clear();
        var from = 0;
        var at = BlockHeader.Size;
        foreach (var entry in Entries)
        {
            EntryCodec.WriteHeader(_headers.AsSpan(at), entry);
            checksum = Crc32C.Append(checksum, _headers.AsSpan(at, EntryCodec.HeaderSize));
            checksum = BatchChecksums.Append(checksum, entry.Payload.Span);
            at += EntryCodec.HeaderSize;
            _parts.Add(_headers.AsMemory(from, at - from));
            _parts.Add(entry.Payload);
            from = at;
        }

        if (Entries.Count == 0)
        {
            _parts.Add(_headers.AsMemory(0, BlockHeader.Size));
        }

        BlockHeader.Finish(_headers, checksum);
        Header = header with { Checksum = checksum };
        Length = PaddedLength(alignment);
        var padding = (int)(Length - BlockHeader.Size - EntriesLength);
        if (padding > 0)
        {
            _parts.Add(s_zeros.AsMemory(0, padding));
        }
    }

    /// <summary>Tells every entry, in order, and makes the commit empty again.</summary>
    public void Complete(JournalOutcome outcome)
    {
        foreach (var entry in Entries)
        {
            entry.Complete(outcome);
        }

        Clear();
    }

    private void Clear()
    {
        Entries.Clear();
        _parts.Clear();
        EntriesLength = 0;
    }
}
