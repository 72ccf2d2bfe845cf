using System.Buffers;
using System.Runtime.CompilerServices;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation.Kit;

/// <summary>Probabilities of what can go wrong with one request to the store.</summary>
public sealed record StoreFaults
{
    public static readonly StoreFaults None = new();

    public static readonly StoreFaults Some = new() { LostRequest = 0.02, LostAnswer = 0.03, LateRequest = 0.01, FalseConflict = 0.02 };

    /// <summary>The request never arrives.</summary>
    public double LostRequest { get; init; }

    /// <summary>The request is carried out, the answer is lost.</summary>
    public double LostAnswer { get; init; }

    /// <summary>A write is given up by its sender, and arrives afterwards.</summary>
    public double LateRequest { get; init; }

    /// <summary>A conditional write succeeds, but a retry below met its own first try and reports the condition as broken.</summary>
    public double FalseConflict { get; init; }

    public double MinLatencyMs { get; init; } = 1;
    public double MaxLatencyMs { get; init; } = 40;
    public double TimeoutMs { get; init; } = 2000;
}

/// <summary>
/// An object store shared by all processes of a simulation. Fault model: requests and answers are delayed and reordered at will; a request can be lost,
/// carried out with its answer lost, carried out after its sender gave up or died, or succeed and report a conflict; a process can be cut off for a while.
/// Objects are strongly consistent, never half-written and never rot; a list is a snapshot per page. Not covered: a store that forgets what it confirmed.
/// The fake also proves that nobody changes a buffer while a write is using it.
/// </summary>
public sealed class SimulatedObjectStore(SimulationScheduler world)
{
    private readonly SortedDictionary<string, (byte[] Content, string ETag)> _objects = new(StringComparer.Ordinal);
    private readonly HashSet<SimulatedProcess> _cutOff = [];
    private long _etag;

    public StoreFaults Faults { get; set; } = StoreFaults.None;

    /// <summary>What is in the store now, for checks.</summary>
    public IReadOnlyDictionary<string, (byte[] Content, string ETag)> Objects => _objects;

    public long Requests { get; private set; }

    /// <summary>Told of every object in the moment before it goes.</summary>
    public Action<string, byte[]>? Deleting { get; set; }

    public IObjectStore Connect(SimulatedProcess process) => new Connection(this, process);

    /// <summary>Nothing of what <paramref name="process"/> asks arrives until <see cref="Restore"/>.</summary>
    public void CutOff(SimulatedProcess process) => _cutOff.Add(process);

    public void Restore(SimulatedProcess process) => _cutOff.Remove(process);

    /// <summary>Changes the store from outside, for tests of damage.</summary>
    public void Tamper(string name, Func<byte[], byte[]?> change)
    {
        if (change((byte[])_objects[name].Content.Clone()) is { } content)
        {
            _objects[name] = (content, NextETag());
        }
        else
        {
            _objects.Remove(name);
        }
    }

    private string NextETag() => $"\"{++_etag:x}\"";

    private Task<T> Request<T>(SimulatedProcess process, bool write, Func<T> apply, Func<T> lost, Func<T>? falseConflict, CancellationToken cancel)
    {
        Requests++;
        var answer = new TaskCompletionSource<T>();
        if (cancel.IsCancellationRequested)
        {
            return Task.FromCanceled<T>(cancel);
        }

        var faults = Faults;
        var dice = world.Random.NextDouble();
        var timeout = TimeSpan.FromMilliseconds(faults.TimeoutMs);
        var registration = cancel.Register(() => answer.TrySetCanceled(cancel));

        void Answer(Func<T> how)
        {
            registration.Dispose();
            try
            {
                answer.TrySetResult(how());
            }
            catch (Exception e)
            {
                answer.TrySetException(e);
            }
        }

        bool Take(double probability) => (dice -= probability) < 0;

        if (_cutOff.Contains(process) || Take(faults.LostRequest))
        {
            world.After(timeout, () => Answer(lost));
        }
        else if (Take(faults.LostAnswer))
        {
            world.After(Latency(), () => Quietly(apply));
            world.After(timeout, () => Answer(lost));
        }
        else if (write && Take(faults.LateRequest))
        {
            world.After(timeout + world.Between(0, 3000), () => Quietly(apply));
            world.After(timeout, () => Answer(lost));
        }
        else
        {
            var lie = falseConflict is not null && Take(faults.FalseConflict);
            world.After(Latency(), () =>
            {
                try
                {
                    var result = apply();
                    world.After(Latency(), () => Answer(lie ? falseConflict! : () => result));
                }
                catch (IOException e)
                {
                    world.After(Latency(), () => Answer(() => throw e));
                }
            });
        }

        return answer.Task;

        TimeSpan Latency() => world.Between(faults.MinLatencyMs / 2, faults.MaxLatencyMs / 2);

        static void Quietly(Func<T> action)
        {
            try
            {
                action();
            }
            catch (IOException)
            {
                // The answer is lost anyway.
            }
        }
    }

    private sealed class Connection(SimulatedObjectStore store, SimulatedProcess process) : IObjectStore
    {
        public ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel) =>
            PutAsync(name, content, () => !store._objects.ContainsKey(name), cancel);

        public ValueTask<PutResult> ReplaceAsync(string name, ReadOnlySequence<byte> content, string etag, CancellationToken cancel) =>
            PutAsync(name, content, () => store._objects.TryGetValue(name, out var held) && held.ETag == etag, cancel);

        public async ValueTask<StoredObject?> ReadAsync(string name, CancellationToken cancel) =>
            await store.Request(process, false, () => store._objects.TryGetValue(name, out var held) ? new StoredObject(held.Content, held.ETag) : null,
                Unavailable<StoredObject?>, null, cancel);

        public async ValueTask<int> ReadRangeAsync(string name, long offset, Memory<byte> destination, CancellationToken cancel)
        {
            var bytes = await store.Request(process, false, () =>
            {
                if (!store._objects.TryGetValue(name, out var held))
                {
                    throw new ObjectNotFoundException(name);
                }

                var start = (int)Math.Min(offset, held.Content.Length);
                return held.Content.AsMemory(start, Math.Min(destination.Length, held.Content.Length - start));
            }, Unavailable<Memory<byte>>, null, cancel);
            bytes.CopyTo(destination);
            return bytes.Length;
        }

        public async ValueTask DeleteAsync(string name, CancellationToken cancel) =>
            await store.Request(process, true, () => store.Remove(name), Unavailable<bool>, null, cancel);

        public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
        {
            var after = "";
            while (true)
            {
                var limit = store.PageLength();
                var page = await store.Request(process, false, () => store._objects
                    .Where(o => o.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(o.Key, after) > 0)
                    .Take(limit).Select(o => new ObjectInfo(o.Key, o.Value.Content.Length)).ToList(), Unavailable<List<ObjectInfo>>, null, cancel);
                foreach (var info in page)
                {
                    yield return info;
                }

                if (page.Count < limit)
                {
                    yield break;
                }

                after = page[^1].Name;
            }
        }

        private async ValueTask<PutResult> PutAsync(string name, ReadOnlySequence<byte> content, Func<bool> condition, CancellationToken cancel)
        {
            var copy = content.ToArray();
            var result = await store.Request(process, true, () =>
            {
                if (!condition())
                {
                    return PutResult.Conflict;
                }

                var etag = store.NextETag();
                store._objects[name] = (copy, etag);
                return PutResult.Done(etag);
            }, () => PutResult.Unknown, () => PutResult.Conflict, cancel);
            if (!content.ToArray().AsSpan().SequenceEqual(copy))
            {
                store.Fail($"the content of '{name}' was changed while it was being put");
            }

            return result;
        }

        private static T Unavailable<T>() => throw new StoreUnavailableException("simulated: the store does not answer");
    }

    private bool Remove(string name)
    {
        if (_objects.TryGetValue(name, out var held))
        {
            Deleting?.Invoke(name, held.Content);
        }

        return _objects.Remove(name);
    }

    private int PageLength() => world.Chance(0.3) ? world.Random.Next(1, 8) : 1000;

    private void Fail(string what) => world.Fail(what);
}
