using System.Buffers;
using System.Runtime.CompilerServices;
using OrleansStream.Storage.Ports;

namespace OrleansStream.TestSupport;

/// <summary>
/// An object store in memory, with the contract of the real ones and switches for a test to make it fail. Thread-safe. Every call completes
/// synchronously, unless <see cref="BeforeCall"/> waits.
/// </summary>
public sealed class MemoryObjectStore : IObjectStore
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, StoredObject> _objects = new(StringComparer.Ordinal);
    private long _nextETag = 1;
    private int _rangeReads;

    /// <summary>
    /// Awaited before each call, with the operation's name ("create", "replace", "read", "range", "delete", "list") and the object's name: a test
    /// throws <see cref="StoreUnavailableException"/> here, or holds the call until it likes.
    /// </summary>
    public Func<string, string, ValueTask>? BeforeCall { get; set; }

    /// <summary>Asked after each conditional write that took effect: true makes the caller see <see cref="PutOutcome.Unknown"/>.</summary>
    public Func<string, bool>? LoseAnswer { get; set; }

    /// <summary>How many ranged reads have arrived.</summary>
    public int RangeReads => Volatile.Read(ref _rangeReads);

    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_lock)
                return [.. _objects.Keys];
        }
    }

    /// <summary>Replaces an object's bytes behind everybody's back: bit rot, for tests of corruption.</summary>
    public void Tamper(string name, Func<byte[], byte[]> change)
    {
        lock (_lock)
            _objects[name] = _objects[name] with { Content = change(_objects[name].Content.ToArray()) };
    }

    public async ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        await EnterAsync("create", name, cancel);
        PutResult result;
        lock (_lock)
        {
            if (_objects.ContainsKey(name))
                return PutResult.Conflict;
            result = Store(name, content);
        }
        return LoseAnswer?.Invoke(name) == true ? PutResult.Unknown : result;
    }

    public async ValueTask<PutResult> ReplaceAsync(string name, ReadOnlySequence<byte> content, string etag, CancellationToken cancel)
    {
        await EnterAsync("replace", name, cancel);
        PutResult result;
        lock (_lock)
        {
            if (!_objects.TryGetValue(name, out var there) || there.ETag != etag)
                return PutResult.Conflict;
            result = Store(name, content);
        }
        return LoseAnswer?.Invoke(name) == true ? PutResult.Unknown : result;
    }

    public async ValueTask<StoredObject?> ReadAsync(string name, CancellationToken cancel)
    {
        await EnterAsync("read", name, cancel);
        lock (_lock)
            return _objects.GetValueOrDefault(name);
    }

    public async ValueTask<int> ReadRangeAsync(string name, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        Interlocked.Increment(ref _rangeReads);
        await EnterAsync("range", name, cancel);
        StoredObject there;
        lock (_lock)
            there = _objects.GetValueOrDefault(name) ?? throw new ObjectNotFoundException(name);
        if (offset >= there.Content.Length)
            return 0;
        var length = (int)Math.Min(destination.Length, there.Content.Length - offset);
        there.Content.Slice((int)offset, length).CopyTo(destination);
        return length;
    }

    public async ValueTask DeleteAsync(string name, CancellationToken cancel)
    {
        await EnterAsync("delete", name, cancel);
        lock (_lock)
            _objects.Remove(name);
    }

    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        await EnterAsync("list", prefix, cancel);
        List<ObjectInfo> found = [];
        lock (_lock)
        {
            foreach (var (name, stored) in _objects)
            {
                if (name.StartsWith(prefix, StringComparison.Ordinal))
                    found.Add(new ObjectInfo(name, stored.Content.Length));
            }
        }
        foreach (var info in found)
            yield return info;
    }

    private PutResult Store(string name, ReadOnlySequence<byte> content)
    {
        var etag = $"\"{_nextETag++}\"";
        _objects[name] = new StoredObject(content.ToArray(), etag);
        return PutResult.Done(etag);
    }

    private ValueTask EnterAsync(string operation, string name, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return BeforeCall?.Invoke(operation, name) ?? ValueTask.CompletedTask;
    }
}
