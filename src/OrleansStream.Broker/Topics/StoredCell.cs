using System.Buffers;
using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Topics;

/// <summary>How a cell's value becomes the body of its object, and back.</summary>
internal sealed record CellCodec<T>(CellKind Kind, byte Version, Action<T, CellWriter> Write, Func<CellReader, T> Read) where T : class;

/// <summary>
/// A small object that is only ever compared and swapped: safe against writes whose answer was lost, and against other writers, who may be on
/// other machines. Changes of one cell in this process take turns.
/// </summary>
internal sealed class StoredCell<T>(IObjectStore store, RuntimePorts ports, string name, CellCodec<T> codec) where T : class
{
    private const int Tries = 6;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);

    // Waited for without a token: the wait with one hops over the thread pool, which the simulation cannot order.
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly ILogger _log = ports.Logs.CreateLogger(nameof(StoredCell<>));
    private T? _value;
    private string? _etag;
    private bool _known;

    public string Name => name;

    /// <summary>The value as it was last seen; null where there is no object.</summary>
    public T? Value => Volatile.Read(ref _value);

    /// <summary>Reads the object. Throws <see cref="StoreUnavailableException"/>.</summary>
    public async ValueTask<T?> LoadAsync(CancellationToken cancel)
    {
        await _turn.WaitAsync();
        try
        {
            return await ReadAsync(cancel);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>
    /// Replaces the value by what <paramref name="change"/> makes of the newest one, again where another writer came in between; null from it means that
    /// nothing is to be changed. Answers the value that is there afterwards. Throws <see cref="StoreUnavailableException"/>: then the change may or may
    /// not have happened, and the next call reads first.
    /// </summary>
    public async ValueTask<T?> UpdateAsync(Func<T?, T?> change, CancellationToken cancel)
    {
        await _turn.WaitAsync();
        try
        {
            if (!_known)
                await ReadAsync(cancel);
            while (change(_value) is { } next)
            {
                if (await SwapAsync(next, cancel))
                    break;
            }
            return _value;
        }
        catch
        {
            _known = false;
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Removes the object without a condition: only where this process is the store's only writer.</summary>
    public async ValueTask DeleteAsync(Func<T?, bool> still, CancellationToken cancel)
    {
        await _turn.WaitAsync();
        try
        {
            if (!still(_value))
                return;
            _known = false;
            await store.DeleteAsync(name, cancel);
            (_etag, _known) = (null, true);
            Volatile.Write(ref _value, null);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Writes until it is known how it ended. False: another writer was first, and its value is now ours.</summary>
    private async ValueTask<bool> SwapAsync(T next, CancellationToken cancel)
    {
        var bytes = Encode(next);
        var content = new ReadOnlySequence<byte>(bytes);
        var before = _etag;
        var pause = FirstPause;
        for (var attempt = 1; ; attempt++)
        {
            var put = before is null ? await store.CreateAsync(name, content, cancel) : await store.ReplaceAsync(name, content, before, cancel);
            if (put.Outcome == PutOutcome.Done)
            {
                Seen(next, put.ETag);
                return true;
            }
            // A refused write may be the echo of our own that had succeeded: the bytes tell, since each write has an id of its own.
            var there = await store.ReadAsync(name, cancel);
            if (there is not null && there.Content.Span.SequenceEqual(bytes))
            {
                Seen(next, there.ETag);
                return true;
            }
            if (put.Outcome == PutOutcome.Conflict || there?.ETag != before)
            {
                Seen(there is null ? null : Decode(there.Content), there?.ETag);
                return false;
            }
            if (attempt == Tries)
                throw new StoreUnavailableException($"the store did not take '{name}' in {Tries} tries");
            _log.LogWarning("object {Name}: unknown whether it was written, trying again", name);
            await Task.Delay(pause, ports.Time, cancel);
            pause *= 2;
        }
    }

    private async ValueTask<T?> ReadAsync(CancellationToken cancel)
    {
        var there = await store.ReadAsync(name, cancel);
        Seen(there is null ? null : Decode(there.Content), there?.ETag);
        return _value;
    }

    private void Seen(T? value, string? etag)
    {
        Volatile.Write(ref _value, value);
        _etag = etag;
        _known = true;
    }

    private byte[] Encode(T value)
    {
        var writer = new CellWriter();
        codec.Write(value, writer);
        return CellFormat.Frame(codec.Kind, codec.Version, ports.Random.NextGuid(), writer.Bytes);
    }

    private T Decode(ReadOnlyMemory<byte> content) => codec.Read(new CellReader(CellFormat.Open(name, codec.Kind, codec.Version, content)));
}
