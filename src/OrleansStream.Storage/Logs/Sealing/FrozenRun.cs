using System.Buffers;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>A part of the hot segment that takes no more appends and waits to be sealed: whole batches of [BaseOffset, EndOffset).</summary>
/// <param name="Parts">The hot parts; the first may begin before <paramref name="BaseOffset"/>.</param>
/// <param name="Snapshot">The log state at <paramref name="EndOffset"/>.</param>
internal sealed record FrozenRun(long BaseOffset, long EndOffset, HotPart[] Parts, byte[] Snapshot)
{
    /// <summary>The batches. The parts are not evictable before the run is sealed, so the bytes stay.</summary>
    public ReadOnlySequence<byte> Batches()
    {
        var joined = new SequenceBuilder();
        foreach (var part in Parts)
            joined.Add(part.Slice(Math.Max(BaseOffset, part.BaseOffset), EndOffset, int.MaxValue, atLeastOne: true, out _));
        return joined.Build();
    }

    public long Bytes { get; } = Parts.Sum(static part => (long)part.Used);
}

/// <summary>What of a log is not sealed: the parts since the last freeze, and the frozen runs in order. Guarded by the log's lock.</summary>
internal sealed class UnsealedTail(long sealedEndOffset)
{
    private readonly List<HotPart> _parts = [];
    private readonly Queue<FrozenRun> _frozen = new();
    private long _base = sealedEndOffset;

    /// <summary>Bytes since the last freeze.</summary>
    public long Bytes { get; private set; }

    /// <summary>Unix time in milliseconds when the first of them came.</summary>
    public long SinceMs { get; private set; }

    public long FrozenBytes { get; private set; }

    public FrozenRun? FirstFrozen => _frozen.TryPeek(out var run) ? run : null;

    public void Added(HotPart part, int bytes, long nowMs)
    {
        if (Bytes == 0)
            SinceMs = nowMs;
        if (_parts.Count == 0 || _parts[^1] != part)
            _parts.Add(part);
        Bytes += bytes;
    }

    /// <summary>Makes a frozen run of what came since the last freeze. The last part must be closed.</summary>
    public FrozenRun? Freeze(byte[] snapshot)
    {
        if (_parts.Count == 0)
            return null;
        var run = new FrozenRun(_base, _parts[^1].NextOffset, [.. _parts], snapshot);
        _frozen.Enqueue(run);
        FrozenBytes += run.Bytes;
        _base = run.EndOffset;
        _parts.Clear();
        Bytes = 0;
        return run;
    }

    public void Sealed(FrozenRun run)
    {
        if (_frozen.Dequeue() != run)
            throw new InvalidOperationException("runs are sealed in order");
        FrozenBytes -= run.Bytes;
    }
}
