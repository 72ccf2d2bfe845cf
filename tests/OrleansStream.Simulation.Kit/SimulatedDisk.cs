using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation.Kit;

/// <summary>Probabilities of what can go wrong with one operation of the disk.</summary>
public sealed record DiskFaults
{
    public static readonly DiskFaults None = new();

    /// <summary>A write or its sync fails; any of its sectors may have arrived.</summary>
    public double FailedSync { get; init; }

    public double MinLatencyMs { get; init; } = 0.05;
    public double MaxLatencyMs { get; init; } = 1;
}

/// <summary>
/// The disk under a disk journal; it survives the crashes of the processes that mount it, one at a time. Fault model: at a crash each 512-byte sector of
/// a write in flight has arrived or not, independently. It may have arrived in the page cache only (the process was killed, the machine went on): then
/// it is seen, until a later crash takes it away, unless a write to the same file was synced between. Directory operations in flight have happened or not;
/// a write or sync can fail, with any of its sectors written; space can end. What a completed call wrote survives. Not covered: bit rot, except through
/// <see cref="Tamper"/>.
/// The fake also proves that nobody changes a buffer while a write is using it.
/// </summary>
public sealed class SimulatedDisk(SimulationScheduler world)
{
    private const int Sector = 512;
    private readonly SortedDictionary<string, byte[]> _files = new(StringComparer.Ordinal);
    private readonly List<(byte[] File, int Position, byte[] Before)> _unsynced = [];
    private SimulatedProcess? _owner;

    public DiskFaults Faults { get; set; } = DiskFaults.None;

    /// <summary>All files together may not be longer than this.</summary>
    public long Capacity { get; set; } = long.MaxValue;

    public IReadOnlyDictionary<string, byte[]> Files => _files;

    /// <summary>Writes that ended in success, for checks of group commit.</summary>
    public long Writes { get; private set; }

    public long FilesCreated { get; private set; }

    /// <summary>Told of every file in the moment before it is renamed or deleted.</summary>
    public Action<string, byte[]>? Going { get; set; }

    /// <summary>Mounts the folder for one process; a second living one is refused, as the lock of the real folder does.</summary>
    public IJournalFolder Mount(SimulatedProcess process)
    {
        if (_owner is { Alive: true } && _owner != process)
        {
            throw new IOException($"the folder is locked by process '{_owner.Name}'");
        }

        _owner = process;
        process.OnCrash(LosePageCache);
        return new Folder(this, process);
    }

    /// <summary>Changes a file from outside, for tests of damage.</summary>
    public void Tamper(string name, Action<byte[]> change) => change(_files[name]);

    private Task<T> Operate<T>(SimulatedProcess process, Func<T> apply, Action? tear = null)
    {
        var answer = new TaskCompletionSource<T>();
        var pending = true;
        var forget = process.OnCrash(() =>
        {
            pending = false;
            if (tear is not null)
            {
                tear();
            }
            else if (world.Chance(0.5))
            {
                Ignore(apply);
            }
        });
        world.After(world.Between(Faults.MinLatencyMs, Faults.MaxLatencyMs), () =>
        {
            if (!pending)
            {
                return;
            }

            pending = false;
            forget();
            try
            {
                answer.TrySetResult(apply());
            }
            catch (Exception e)
            {
                answer.TrySetException(e);
            }
        });
        return answer.Task;

        static void Ignore(Func<T> action)
        {
            try
            {
                action();
            }
            catch (IOException)
            {
                // Nobody is left to be told.
            }
        }
    }

    private sealed class Folder(SimulatedDisk disk, SimulatedProcess process) : IJournalFolder
    {
        public long FreeBytes => disk.Capacity == long.MaxValue ? long.MaxValue : disk.Capacity - disk._files.Values.Sum(f => (long)f.Length);

        public IReadOnlyList<ObjectInfo> List() => [.. disk._files.Select(f => new ObjectInfo(f.Key, f.Value.Length))];

        public async ValueTask<IJournalFile> OpenAsync(string name, long? createLength, CancellationToken cancel) =>
            await disk.Operate<IJournalFile>(process, () =>
            {
                if (createLength is { } length)
                {
                    if (disk._files.ContainsKey(name))
                    {
                        throw new IOException($"'{name}' exists already");
                    }

                    if (disk._files.Values.Sum(f => (long)f.Length) + length > disk.Capacity)
                    {
                        throw new IOException("no space left on device");
                    }

                    disk.FilesCreated++;
                    disk._files[name] = new byte[length];
                }
                else if (!disk._files.ContainsKey(name))
                {
                    throw new FileNotFoundException($"no file '{name}'");
                }

                return new OpenFile(disk, process, name, disk._files[name]);
            });

        public async ValueTask RenameAsync(string name, string newName, CancellationToken cancel) =>
            await disk.Operate(process, () =>
            {
                if (disk._files.TryGetValue(name, out var going))
                {
                    disk.Going?.Invoke(name, going);
                }

                if (disk._files.ContainsKey(newName) || !disk._files.Remove(name, out var content))
                {
                    throw new IOException($"cannot rename '{name}' to '{newName}'");
                }

                return disk._files[newName] = content;
            });

        public async ValueTask DeleteAsync(string name, CancellationToken cancel) => await disk.Operate(process, () =>
            {
                if (disk._files.TryGetValue(name, out var going))
                {
                    disk.Going?.Invoke(name, going);
                }

                return disk._files.Remove(name);
            });
    }

    private sealed class OpenFile(SimulatedDisk disk, SimulatedProcess process, string name, byte[] content) : IJournalFile
    {
        private bool _failed;

        public string Name => name;
        public long Length => content.Length;

        public async ValueTask WriteAsync(long position, IReadOnlyList<ReadOnlyMemory<byte>> parts, CancellationToken cancel)
        {
            var bytes = Join(parts);
            if (_failed || position % 4096 != 0 || bytes.Length % 4096 != 0 || position + bytes.Length > content.Length)
            {
                disk.Fail($"bad write to '{name}' at {position}, {bytes.Length} bytes, failed before: {_failed}");
            }

            await disk.Operate(process, () =>
            {
                if (disk.Roll(disk.Faults.FailedSync))
                {
                    _failed = true;
                    disk.Tear(bytes, content, position);
                    throw new IOException("simulated: the sync failed");
                }

                bytes.CopyTo(content, position);
                disk.Writes++;
                disk.Synced(content);
                return true;
            }, () => disk.Tear(bytes, content, position));
            if (!Join(parts).AsSpan().SequenceEqual(bytes))
            {
                disk.Fail($"parts of a write to '{name}' were changed while it was under way");
            }
        }

        public async ValueTask<int> ReadAsync(long position, Memory<byte> destination, CancellationToken cancel) =>
            await disk.Operate(process, () =>
            {
                var length = (int)Math.Clamp(content.Length - position, 0, destination.Length);
                content.AsSpan((int)Math.Min(position, content.Length), length).CopyTo(destination.Span);
                return length;
            });

        public async ValueTask ZeroAsync(CancellationToken cancel) =>
            await disk.Operate(process, () =>
            {
                content.AsSpan().Clear();
                disk.Synced(content);
                return true;
            }, () => disk.Tear(new byte[content.Length], content, 0));

        public ValueTask DisposeAsync() => default;

        private static byte[] Join(IReadOnlyList<ReadOnlyMemory<byte>> parts)
        {
            var bytes = new byte[parts.Sum(p => p.Length)];
            var at = 0;
            foreach (var part in parts)
            {
                part.CopyTo(bytes.AsMemory(at));
                at += part.Length;
            }

            return bytes;
        }
    }

    private bool Roll(double probability) => world.Chance(probability);

    private void Fail(string what) => world.Fail(what);

    private void Tear(byte[] bytes, byte[] content, long position)
    {
        var share = world.Random.Next(4) switch { 0 => 0.0, 1 => 1.0, _ => world.Random.NextDouble() };
        var cachedOnly = world.Chance(0.5);
        for (var at = 0; at < bytes.Length; at += Sector)
        {
            if (world.Chance(share))
            {
                if (cachedOnly)
                {
                    var before = content.AsSpan((int)position + at, Math.Min(Sector, bytes.Length - at)).ToArray();
                    _unsynced.Add((content, (int)position + at, before));
                }

                bytes.AsSpan(at, Math.Min(Sector, bytes.Length - at)).CopyTo(content.AsSpan((int)position + at));
            }
        }
    }

    private void Synced(byte[] content) => _unsynced.RemoveAll(u => u.File == content);

    /// <summary>Runs first at a crash: what an earlier crash left in the page cache alone may be lost in this one.</summary>
    private void LosePageCache()
    {
        if (world.Chance(0.5))
        {
            for (var i = _unsynced.Count - 1; i >= 0; i--)
            {
                _unsynced[i].Before.CopyTo(_unsynced[i].File, _unsynced[i].Position);
            }

            _unsynced.Clear();
        }
    }
}
