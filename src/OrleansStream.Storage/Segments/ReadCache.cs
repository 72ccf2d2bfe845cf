using System.Buffers;
using System.Numerics;
using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Segments;

/// <summary>Bounds of the read cache.</summary>
public sealed record ReadCacheOptions
{
    /// <summary>Bytes of sealed data held, buffers waiting for reuse included.</summary>
    public long CapacityBytes { get; init; } = 256 << 20;

    /// <summary>The smallest ranged get, and its alignment. A power of two.</summary>
    public int BlockBytes { get; init; } = 1 << 20;

    /// <summary>The largest ranged get. A power of two; most are of this size, so that one's buffer serves for the next.</summary>
    public int MaxGetBytes { get; init; } = 2 << 20;

    /// <summary>What a sequential reader's read-ahead grows to. A power of two.</summary>
    public int MaxReadAheadBytes { get; init; } = 16 << 20;

    /// <summary>Bytes of run indexes held.</summary>
    public long IndexCapacityBytes { get; init; } = 32 << 20;

    /// <summary>What nobody has read for this long, in milliseconds, is given back to the operating system.</summary>
    public int IdleMilliseconds { get; init; } = 60_000;
}

/// <summary>What the read cache has done since the start.</summary>
/// <param name="Hits">Ranges found loaded or loading.</param>
/// <param name="Misses">Ranges that a reader had to wait for from the beginning.</param>
/// <param name="ReadAheads">Gets begun ahead of their reader.</param>
/// <param name="LoadedBytes">Bytes fetched from the store.</param>
/// <param name="HeldBytes">Memory held now.</param>
/// <param name="Overflows">Buffers taken above the capacity, because all of it was pinned.</param>
public readonly record struct ReadCacheCounters(long Hits, long Misses, long ReadAheads, long LoadedBytes, long HeldBytes, long Overflows);

/// <summary>
/// A bounded cache of aligned ranges of sealed objects, least recently used out first. Apart from hot memory, so that a cold reader never evicts
/// what is hot. Many readers of one range cause one get. Thread-safe.
/// <para>
/// What is pinned is never evicted. When all of it is, optional bytes are refused, and those that a reader needs to go on at all come from
/// memory above the capacity, given back at once after: a bound of one batch for each waiting reader, instead of a deadlock.
/// </para>
/// </summary>
public sealed class ReadCache : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Name, long Block), Extent> _blocks = [];
    private readonly EvictionOrder _order = new();
    private readonly CacheBuffers _buffers;
    private readonly ReadAhead _readAhead;
    private readonly ILogger _log;
    private readonly int _blockBytes;
    private readonly ITimer _idleTimer;
    private bool _idleTimerRuns;
    private bool _disposed;
    private long _hits, _misses, _readAheads, _loadedBytes, _overflows;

    public ReadCache(IObjectStore store, IChunkSource chunks, RuntimePorts ports, ReadCacheOptions options)
    {
        if (!BitOperations.IsPow2(options.BlockBytes) || !BitOperations.IsPow2(options.MaxGetBytes) || !BitOperations.IsPow2(options.MaxReadAheadBytes)
            || options.BlockBytes > options.MaxGetBytes || options.MaxGetBytes > options.MaxReadAheadBytes)
            throw new ArgumentException("sizes of a block, of a get and of read-ahead are powers of two, none above the next", nameof(options));
        Store = store;
        Ports = ports;
        Options = options;
        Indexes = new SegmentIndexCache(store, ports, options.IndexCapacityBytes);
        _blockBytes = options.BlockBytes;
        _buffers = new CacheBuffers(chunks, options.CapacityBytes);
        // Two blocks at first: a read ends within a chunk, and a chunk may reach into the next block.
        _readAhead = new ReadAhead(Math.Min(Math.Max(2 * _blockBytes, options.MaxGetBytes), options.MaxReadAheadBytes), options.MaxReadAheadBytes);
        _log = ports.Logs.CreateLogger<ReadCache>();
        _idleTimer = ports.Time.CreateTimer(_ => TrimIdle(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public ReadCacheOptions Options { get; }

    public ReadCacheCounters Counters
    {
        get
        {
            lock (_lock)
                return new ReadCacheCounters(_hits, _misses, _readAheads, _loadedBytes, _buffers.HeldBytes, _overflows);
        }
    }

    internal IObjectStore Store { get; }
    internal RuntimePorts Ports { get; }
    internal SegmentIndexCache Indexes { get; }

    /// <summary>Gives back all that is not pinned, the rest with its last pin, and stops the idle timer.</summary>
    public void Dispose()
    {
        _idleTimer.Dispose();
        lock (_lock)
        {
            _disposed = true;
            while (Evict(_order.Next())) { }
            _buffers.DropFree();
        }
    }

    /// <summary>
    /// Pins the loaded extent that covers <paramref name="position"/>. What is missing up to <paramref name="until"/> begins to load in the same go.
    /// Null where memory is short and the bytes are not <paramref name="required"/>.
    /// </summary>
    internal ValueTask<Extent?> PinAsync(SealedRun run, long position, long until, bool required, CancellationToken cancel)
    {
        Extent? extent;
        List<Extent>? toLoad = null;
        lock (_lock)
        {
            if (_blocks.TryGetValue((run.ObjectName, position / _blockBytes), out extent))
                _hits++;
            else
            {
                _misses++;
                extent = Begin(run, position, until, required ? Need.Required : Need.Optional, ref toLoad);
                if (extent is null)
                    return ValueTask.FromResult<Extent?>(null);
            }
            extent.Pins++;
            Touch(extent);
        }
        StartLoads(toLoad);
        return extent.Loaded.IsCompletedSuccessfully ? ValueTask.FromResult<Extent?>(extent) : AwaitLoadedAsync(extent, cancel);
    }

    internal void Unpin(Extent extent)
    {
        lock (_lock)
            UnpinLocked(extent);
    }

    /// <summary>A reader took [from, to) of a run: reads ahead of it where it is sequential, beyond the run's end in the one that follows it.</summary>
    internal void Advance(SealedRun run, long from, long to, SealedRun? next)
    {
        List<Extent>? toLoad = null;
        var goesBeyond = false;
        lock (_lock)
        {
            var window = _readAhead.Advance(run.ObjectName, from, to, from == run.Position);
            var end = run.Position + run.Length;
            if (window > 0)
            {
                GoAhead(run, to, window, ref toLoad);
                Pass(run.ObjectName, from, to);
            }
            var beyond = to + window - end;
            goesBeyond = window > 0 && beyond > 0 && next is not null;
            if (goesBeyond)
            {
                _readAhead.Expect(next!.ObjectName, next.Position, window);
                GoAhead(next, next.Position, beyond, ref toLoad);
            }
            _readAheads += toLoad?.Count ?? 0;
        }
        StartLoads(toLoad);
        if (goesBeyond)
            Indexes.Prefetch(next!);
    }

    internal bool IsChecked(Extent extent, long from, long to)
    {
        lock (_lock)
            return extent.IsChecked(from, to);
    }

    internal void MarkChecked(Extent extent, long from, long to)
    {
        lock (_lock)
            extent.MarkChecked(from, to);
    }

    /// <summary>Forgets an extent whose bytes are wrong, so that the next reader fetches them anew.</summary>
    internal void Discard(Extent extent)
    {
        lock (_lock)
            Forget(extent);
    }

    private async ValueTask<Extent?> AwaitLoadedAsync(Extent extent, CancellationToken cancel)
    {
        try
        {
            await extent.Loaded.Inline().WaitAsync(cancel);
            return extent;
        }
        catch
        {
            Unpin(extent);
            throw;
        }
    }

    /// <summary>
    /// Begins what is missing of a run from <paramref name="from"/> on, so many bytes, in the largest gets and none for less, unless the run ends there
    /// or the reader is about to arrive: several under way at a time, as one alone lets its reader wait for each in turn. At most a quarter of the cache is
    /// ahead: where more readers go on than it has room for, they would evict each other's bytes.
    /// </summary>
    private void GoAhead(SealedRun run, long from, long bytes, ref List<Extent>? toLoad)
    {
        var get = Options.MaxGetBytes;
        var end = run.Position + run.Length;
        var to = Math.Min((from + bytes + _blockBytes - 1) / _blockBytes * _blockBytes, end);
        while (_order.AheadBytes + get <= Options.CapacityBytes / 4)
        {
            var missing = FirstMissing(run.ObjectName, from, to);
            if (missing >= to || (to < end && to - missing < get && missing - from > 2 * _blockBytes))
                return;
            if (Begin(run, missing, Math.Min(to, missing + get), Need.Ahead, ref toLoad) is null)
                return;
        }
    }

    private void Pass(string name, long from, long to)
    {
        for (var at = from; at < to; at += _blockBytes)
        {
            if (_blocks.TryGetValue((name, at / _blockBytes), out var extent) && extent.End <= to)
                _order.Pass(extent);
        }
    }

    /// <summary>Makes extents for what is missing from <paramref name="position"/> on; the first one, or null where there is no memory for it.</summary>
    private Extent? Begin(SealedRun run, long position, long until, Need need, ref List<Extent>? toLoad)
    {
        Extent? first = null;
        var start = position / _blockBytes * _blockBytes;
        while (start < until)
        {
            var length = MissingLength(run, start, until);
            if (length == 0)
                break;
            var buffer = Rent(length, need == Need.Required && first is null);
            if (buffer is null)
                break;
            var extent = new Extent(run.ObjectName, start, length, buffer);
            for (var at = start; at < extent.End; at += _blockBytes)
                _blocks[(run.ObjectName, at / _blockBytes)] = extent;
            _order.Add(extent, ahead: need == Need.Ahead);
            Touch(extent);
            (toLoad ??= []).Add(extent);
            first ??= extent;
            start = extent.End;
        }
        return first;
    }

    /// <summary>How much one get should bring: missing blocks, a power of two of them, within the object.</summary>
    private int MissingLength(SealedRun run, long start, long until)
    {
        var blocks = 0;
        var most = Options.MaxGetBytes / _blockBytes;
        while (blocks < most && start + ((long)blocks * _blockBytes) < until
            && !_blocks.ContainsKey((run.ObjectName, (start / _blockBytes) + blocks)))
            blocks++;
        if (blocks == 0)
            return 0;
        var length = (long)_blockBytes << BitOperations.Log2((uint)blocks);
        return (int)Math.Min(length, run.ObjectLength - start);
    }

    private long FirstMissing(string name, long from, long to)
    {
        var at = from;
        while (at < to && _blocks.ContainsKey((name, at / _blockBytes)))
            at = ((at / _blockBytes) + 1) * _blockBytes;
        return at;
    }

    private IMemoryOwner<byte>? Rent(int length, bool required)
    {
        while (true)
        {
            if (_buffers.TryRentTouched(length) is { } touched)
                return touched;
            // Rather than fresh memory, which has to be zeroed first, and that takes as long as the read: a lone sequential reader goes round in an eighth
            // of the cache.
            if (_order.PassedBytes > Options.CapacityBytes / 8 && Evict(_order.NextPassed()))
                continue;
            if (_buffers.TryRent(length) is { } buffer)
                return buffer;
            if (Evict(_order.Next()))
                continue;
            if (!required)
                return null;
            _overflows++;
            return _buffers.RentBeyond(length);
        }
    }

    private bool Evict(Extent? extent)
    {
        if (extent is null)
            return false;
        Forget(extent);
        return true;
    }

    private void Forget(Extent extent)
    {
        if (!extent.Resident)
            return;
        extent.Resident = false;
        _order.Remove(extent);
        for (var at = extent.Start; at < extent.End; at += _blockBytes)
            _blocks.Remove((extent.Name, at / _blockBytes));
        if (extent.Pins == 0)
            _buffers.Return(extent.Buffer);
    }

    private void UnpinLocked(Extent extent)
    {
        extent.Pins--;
        if (extent.Pins > 0)
            return;
        if (!extent.Resident)
            _buffers.Return(extent.Buffer);
        else if (_disposed || _buffers.HeldBytes > Options.CapacityBytes)
            Forget(extent);
        if (_disposed)
            _buffers.DropFree();
    }

    private void Touch(Extent extent)
    {
        extent.LastUsed = Ports.Time.GetTimestamp();
        _order.Use(extent);
        if (_idleTimerRuns)
            return;
        _idleTimerRuns = true;
        _idleTimer.Change(TimeSpan.FromMilliseconds(Options.IdleMilliseconds), Timeout.InfiniteTimeSpan);
    }

    private void TrimIdle()
    {
        lock (_lock)
        {
            foreach (var extent in _order.All.ToList())
            {
                if (extent.Pins == 0 && Ports.Time.GetElapsedTime(extent.LastUsed).TotalMilliseconds >= Options.IdleMilliseconds)
                    Forget(extent);
            }
            _buffers.DropFree();
            _idleTimerRuns = _order.Count > 0;
            if (_idleTimerRuns)
                _idleTimer.Change(TimeSpan.FromMilliseconds(Options.IdleMilliseconds), Timeout.InfiniteTimeSpan);
        }
    }

    private void StartLoads(List<Extent>? extents)
    {
        if (extents is null)
            return;
        // A load belongs to all of its readers: it runs apart from the first, whose cancellation is his own.
        foreach (var extent in extents)
            Ports.Scheduler.Start("read cache load", () => LoadAsync(extent));
    }

    private async Task LoadAsync(Extent extent)
    {
        Exception? error = null;
        try
        {
            var read = await Store.ReadRangeAsync(extent.Name, extent.Start, extent.Buffer.Memory[..extent.Length], CancellationToken.None);
            if (read != extent.Length)
                error = new SegmentCorruptException($"'{extent.Name}' ends at byte {extent.Start + read}; its manifest says {extent.End} or more");
        }
        catch (IOException failed)
        {
            error = failed;
        }
        lock (_lock)
        {
            _loadedBytes += error is null ? extent.Length : 0;
            if (error is not null)
                Forget(extent);
            UnpinLocked(extent);
        }
        if (error is null)
            extent.Complete();
        else
        {
            Log.LoadFailed(_log, extent.Name, extent.Start, error);
            extent.Fail(error);
        }
    }

    private enum Need
    {
        /// <summary>A reader cannot go on without it.</summary>
        Required,
        Optional,

        /// <summary>Nobody has come for it yet.</summary>
        Ahead,
    }

    private static class Log
    {
        private static readonly Action<ILogger, string, long, Exception?> LoadFailedMessage = LoggerMessage.Define<string, long>(
            LogLevel.Debug, new EventId(1, "ReadCacheLoadFailed"), "reading '{Object}' at byte {Position} failed");

        public static void LoadFailed(ILogger log, string name, long position, Exception error) => LoadFailedMessage(log, name, position, error);
    }
}
