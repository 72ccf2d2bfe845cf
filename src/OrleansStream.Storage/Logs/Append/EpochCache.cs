using System.Collections.Immutable;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>Where each leader epoch's records begin (KIP-101). Changed under the log's lock, read without.</summary>
internal sealed class EpochCache(ImmutableArray<EpochStart> starts)
{
    /// <summary>More would crowd the manifest; what is older answers "undefined", as after a long retention.</summary>
    private const int MaxEntries = 1000;

    private sealed record Holder(ImmutableArray<EpochStart> Starts);
    private Holder _holder = new(starts);

    public ImmutableArray<EpochStart> Starts => Volatile.Read(ref _holder).Starts;

    /// <summary>
    /// An epoch begins at an offset. Earlier entries that would begin there or later held no record: they go.
    /// </summary>
    public void Assign(int leaderEpoch, long startOffset)
    {
        var starts = Starts;
        if (starts.Length > 0 && starts[^1].LeaderEpoch == leaderEpoch)
            return;
        var kept = starts.Where(start => start.LeaderEpoch < leaderEpoch && start.StartOffset < startOffset).ToList();
        if (kept.Count >= MaxEntries)
            kept.RemoveRange(0, kept.Count - MaxEntries + 1);
        Volatile.Write(ref _holder, new Holder([.. kept, new EpochStart(leaderEpoch, startOffset)]));
    }

    /// <summary>The epoch of the record at an offset; -1 where it is not known.</summary>
    public int EpochOf(long offset)
    {
        var starts = Starts;
        for (var i = starts.Length - 1; i >= 0; i--)
        {
            if (starts[i].StartOffset <= offset)
                return starts[i].LeaderEpoch;
        }
        return -1;
    }

    /// <summary>
    /// The largest epoch not above <paramref name="leaderEpoch"/> and the offset after its last record; (-1, -1) where the epoch is not known: above
    /// the newest, or below the oldest with nothing to say where it ended.
    /// </summary>
    public (int LeaderEpoch, long EndOffset) EndOf(int leaderEpoch, long endOffset)
    {
        var starts = Starts;
        if (leaderEpoch < 0 || starts.IsEmpty || leaderEpoch > starts[^1].LeaderEpoch)
            return (-1, -1);
        if (leaderEpoch == starts[^1].LeaderEpoch)
            return (leaderEpoch, endOffset);
        for (var i = starts.Length - 1; i >= 0; i--)
        {
            if (starts[i].LeaderEpoch <= leaderEpoch)
                return (starts[i].LeaderEpoch, starts[i + 1].StartOffset);
        }
        // Older than all that is known: it ended where the oldest known began.
        return (leaderEpoch, starts[0].StartOffset);
    }
}
