using System.Buffers;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Memory;

/// <summary>
/// Chunks of hot memory in size classes, reused while they are warm: memory that was never touched costs several times the copy into it. Under load
/// the pool allocates and touches ahead of demand in the background; what was idle for a minute goes back to the operating system. Leased and idle
/// chunks together stay within the budget, as long as the leased ones do.
/// </summary>
public sealed class ChunkPool : IDisposable
{
    /// <summary>Small first, so that thousands of idle partitions cost little; a partition climbs with its rate.</summary>
    public static readonly int[] SizeClasses = [16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20];

    /// <summary>How much the pool holds ready in a class under the heaviest demand.</summary>
    private const long MaxReadyBytes = 256L << 20;

    private static readonly TimeSpan IdleBeforeReturn = TimeSpan.FromMinutes(1);

    private readonly IChunkSource _source;
    private readonly RuntimePorts _ports;
    private readonly MemoryBudget _budget;
    private readonly Lock _lock = new();
    private readonly SizeClass[] _classes;
    private readonly ITimer _trim;
    private long _idleBytes;
    private bool _refilling;
    private bool _disposed;

    public ChunkPool(IChunkSource source, MemoryBudget budget, RuntimePorts ports)
    {
        _source = source;
        _ports = ports;
        _budget = budget;
        MaxClass = Math.Max(0, Array.FindLastIndex(SizeClasses, length => length <= budget.LimitBytes / 64));
        _classes = [.. SizeClasses.Select(length => new SizeClass(length))];
        _trim = ports.Time.CreateTimer(static pool => ((ChunkPool)pool!).Trim(), this, IdleBeforeReturn, IdleBeforeReturn);
    }

    /// <summary>The largest class that a partition climbs to: a small part of the budget, as the rest of a frozen chunk is lost until it is sealed.</summary>
    public int MaxClass { get; }

    /// <summary>Bytes of chunks that wait to be leased.</summary>
    public long IdleBytes => Interlocked.Read(ref _idleBytes);

    /// <summary>The smallest class that holds <paramref name="length"/> bytes; -1 where none does.</summary>
    public static int ClassFor(int length)
    {
        for (var i = 0; i < SizeClasses.Length; i++)
        {
            if (length <= SizeClasses[i])
                return i;
        }
        return -1;
    }

    /// <summary>
    /// Leases a chunk of at least <paramref name="minLength"/> bytes, of class <paramref name="wantedClass"/> or larger where that is too small, or of
    /// exactly that length where no class is large enough. The caller holds its one reference. Never waits: admission came before.
    /// </summary>
    public Chunk Rent(int minLength, int wantedClass)
    {
        var fitting = ClassFor(minLength);
        if (fitting < 0)
        {
            _budget.Leased(minLength);
            MakeRoom(minLength);
            return new Chunk(this, _source.Allocate(minLength), minLength, -1);
        }
        var index = Math.Max(fitting, Math.Clamp(wantedClass, 0, MaxClass));
        var length = SizeClasses[index];
        _budget.Leased(length);
        IMemoryOwner<byte>? owner = null;
        var startRefill = false;
        lock (_lock)
        {
            var size = _classes[index];
            if (size.Idle.TryPop(out owner))
            {
                _idleBytes -= length;
                size.LeastIdle = Math.Min(size.LeastIdle, size.Idle.Count);
            }
            // Few left: the next rents would meet untouched memory.
            if (size.Idle.Count <= size.Ready / 2)
            {
                if (owner is null || size.Ready > 0)
                    size.Ready = Math.Min(Math.Max(2, size.Ready * 2), (int)(MaxReadyBytes / 4 / length));
                startRefill = !_refilling && !_disposed && index >= EagerFromClass;
                _refilling |= startRefill;
            }
        }
        if (startRefill)
            _ports.Scheduler.StartYielding("touch memory", Refill);
        if (owner is null)
        {
            MakeRoom(length);
            owner = _source.Allocate(length);
        }
        return new Chunk(this, owner, length, index);
    }

    /// <summary>Smaller chunks are not worth the background work.</summary>
    private const int EagerFromClass = 2;

    /// <summary>Allocates and touches <paramref name="bytes"/> in large chunks, so that the first burst meets warm memory.</summary>
    public void Warm(long bytes)
    {
        var index = MaxClass;
        for (long done = 0; done < bytes && HasRoomFor(SizeClasses[index]); done += SizeClasses[index])
            AddTouched(index);
    }

    internal void Return(IMemoryOwner<byte> owner, int length, int sizeClass)
    {
        var keep = false;
        if (sizeClass >= 0)
        {
            lock (_lock)
            {
                if (!_disposed && _budget.UsedBytes + _idleBytes <= _budget.LimitBytes)
                {
                    _classes[sizeClass].Idle.Push(owner);
                    _idleBytes += length;
                    keep = true;
                }
            }
        }
        if (!keep)
            owner.Dispose();
        _budget.Returned(length);
    }

    /// <summary>Gives back idle memory; chunks that are still leased go back when they are released.</summary>
    public void Dispose()
    {
        _trim.Dispose();
        List<IMemoryOwner<byte>> gone = [];
        lock (_lock)
        {
            _disposed = true;
            foreach (var size in _classes)
                TakeIdle(size, size.Idle.Count, gone);
        }
        gone.ForEach(static owner => owner.Dispose());
    }

    private void Refill()
    {
        while (true)
        {
            var wanted = -1;
            lock (_lock)
            {
                for (var i = SizeClasses.Length - 1; i >= EagerFromClass && wanted < 0; i--)
                {
                    if (_classes[i].Idle.Count < _classes[i].Ready && HasRoomFor(SizeClasses[i]))
                        wanted = i;
                }
                if (wanted < 0 || _disposed)
                {
                    _refilling = false;
                    return;
                }
            }
            AddTouched(wanted);
        }
    }

    private void AddTouched(int index)
    {
        var length = SizeClasses[index];
        var owner = _source.Allocate(length);
        _source.Touch(owner.Memory[..length]);
        lock (_lock)
        {
            if (!_disposed)
            {
                _classes[index].Idle.Push(owner);
                _idleBytes += length;
                return;
            }
        }
        owner.Dispose();
    }

    private bool HasRoomFor(int length) => _budget.UsedBytes + IdleBytes + length <= _budget.LimitBytes;

    /// <summary>Before fresh memory is allocated, idle chunks of other classes go if the sum would pass the budget.</summary>
    private void MakeRoom(int length)
    {
        if (HasRoomFor(0) || IdleBytes == 0)
            return;
        List<IMemoryOwner<byte>> gone = [];
        lock (_lock)
        {
            long given = 0;
            foreach (var size in _classes)
            {
                while (given < length && size.Idle.Count > 0)
                {
                    TakeIdle(size, 1, gone);
                    given += size.Length;
                }
            }
        }
        gone.ForEach(static owner => owner.Dispose());
    }

    /// <summary>What has lain idle for the whole of the last minute is what no rent ever came near: the least count seen.</summary>
    private void Trim()
    {
        List<IMemoryOwner<byte>> gone = [];
        lock (_lock)
        {
            foreach (var size in _classes)
            {
                TakeIdle(size, Math.Min(size.LeastIdle, size.Idle.Count), gone);
                size.LeastIdle = size.Idle.Count;
                size.Ready = Math.Min(size.Ready, size.Idle.Count);
            }
        }
        gone.ForEach(static owner => owner.Dispose());
    }

    private void TakeIdle(SizeClass size, int count, List<IMemoryOwner<byte>> into)
    {
        for (var i = 0; i < count; i++)
        {
            into.Add(size.Idle.Pop());
            _idleBytes -= size.Length;
        }
        size.LeastIdle = Math.Min(size.LeastIdle, size.Idle.Count);
    }

    private sealed class SizeClass(int length)
    {
        public int Length { get; } = length;
        public Stack<IMemoryOwner<byte>> Idle { get; } = new();

        /// <summary>The fewest that were idle since the last trim.</summary>
        public int LeastIdle { get; set; }

        /// <summary>How many the background work keeps ready.</summary>
        public int Ready { get; set; }
    }
}
