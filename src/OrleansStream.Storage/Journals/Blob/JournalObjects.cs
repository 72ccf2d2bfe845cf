using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Blob;

/// <summary>
/// One listing of a journal's objects, with the lowest sequence that its writer still keeps. What a writer states never goes down, so the newest data object
/// states the highest.
/// </summary>
internal sealed class JournalObjects
{
    private readonly SortedDictionary<long, long> _lengths = [];

    /// <summary>Sequence and length of every object.</summary>
    public IReadOnlyDictionary<long, long> Lengths => _lengths;

    /// <summary>Null when there is no data object.</summary>
    public long? LowestKept { get; private set; }

    /// <summary>The first sequence from <see cref="LowestKept"/> on that is no data object: a marker, or missing.</summary>
    public long End { get; private set; }

    /// <summary>Sequences from <see cref="LowestKept"/> on and below this were durable once: <see cref="End"/> must not be lower.</summary>
    public long DurableBelow { get; private set; }

    /// <summary>
    /// Whether the data went on purpose, after a fence and once no manifest listed the journal. A writer that had not noticed may have put more behind the marker
    /// since, and may even have listed the journal again: it is empty all the same.
    /// </summary>
    public bool Deleted { get; private set; }

    /// <summary>Whether a marker stands at <see cref="End"/>.</summary>
    public bool Fenced => IsMarker(End);

    /// <summary>The lowest marker, -1 when there is none.</summary>
    public long LowestMarker { get; private set; } = -1;

    public bool IsMarker(long sequence) => _lengths.TryGetValue(sequence, out var length) && length == FenceMarker.Length;

    public static async ValueTask<JournalObjects> ListAsync(IObjectStore store, Guid journalId, bool acceptLoss, CancellationToken cancel)
    {
        while (true)
        {
            var objects = new JournalObjects();
            await foreach (var info in store.ListAsync(JournalObjectName.Prefix(journalId), cancel))
            {
                objects.Deleted |= info.Name == JournalObjectName.Tombstone(journalId);
                if (JournalObjectName.TryParse(info.Name, out _, out var sequence))
                {
                    objects._lengths[sequence] = info.Length;
                }
            }

            if (objects.Deleted || await objects.ReadLowestAsync(store, journalId, acceptLoss, cancel))
            {
                return objects;
            }
        }
    }

    private async ValueTask<bool> ReadLowestAsync(IObjectStore store, Guid journalId, bool acceptLoss, CancellationToken cancel)
    {
        foreach (var (sequence, _) in _lengths)
        {
            if (IsMarker(sequence))
            {
                LowestMarker = sequence;
                break;
            }
        }

        foreach (var (sequence, _) in _lengths.Reverse())
        {
            if (IsMarker(sequence))
            {
                continue;
            }

            var name = JournalObjectName.Of(journalId, sequence);
            var bytes = new byte[BlockHeader.Size];
            try
            {
                await store.ReadRangeAsync(name, 0, bytes, cancel);
            }
            catch (ObjectNotFoundException)
            {
                // Trimmed since it was listed, so a newer one exists.
                return false;
            }

            BlockHeader.RefuseNewer(bytes, $"journal object '{name}'");
            if (!BlockHeader.TryRead(bytes, out var header) || header.Incarnation != journalId || header.Number != sequence || header.Kind != BlockKind.StoreObject)
            {
                if (acceptLoss)
                {
                    continue;
                }

                throw new JournalCorruptException($"'{name}' is no object of its journal: its header is damaged");
            }

            LowestKept = header.LowestKept;
            DurableBelow = header.DurableBelow;
            End = header.LowestKept;
            while (_lengths.ContainsKey(End) && !IsMarker(End))
            {
                End++;
            }

            break;
        }

        return true;
    }
}
