using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Disk;

/// <summary>
/// The files under all disk journals of the folder: gives out recycled or new ones, takes trimmed ones back, and zeroes a few ahead of demand so that a
/// steady journal only overwrites blocks that the file system has already written once.
/// </summary>
internal sealed class FileRing(IJournalFolder folder, RuntimePorts ports, DiskJournalOptions options)
{
    private readonly ILogger _log = ports.Logs.CreateLogger<FileRing>();
    private readonly Lock _gate = new();
    private readonly Queue<string> _spares = new();
    private readonly Queue<string> _released = new();
    private readonly HashSet<string> _inUse = [];
    private readonly HashSet<string> _doubtful = [];
    private readonly AsyncSignal _wake = new();
    private long _nextNumber;
    private int _filled;
    private readonly SemaphoreSlim _starting = new(1);
    private bool _started;
    private volatile bool _mayZero;

    /// <summary>Learns what is in the folder; clears what a crash left half-made. Before anything else; only the first call that succeeds does something.</summary>
    public async ValueTask StartAsync(CancellationToken cancel)
    {
        await _starting.WaitAsync(cancel);
        try
        {
            if (!_started)
            {
                await LookAroundAsync(cancel);
            }
        }
        finally
        {
            _starting.Release();
        }
    }

    private async ValueTask LookAroundAsync(CancellationToken cancel)
    {
        _spares.Clear();
        var files = folder.List();
        foreach (var file in files)
        {
            _nextNumber = Math.Max(_nextNumber, RingFileName.NumberOf(file.Name) + 1);
        }

        foreach (var file in files)
        {
            if (file.Name.StartsWith(RingFileName.FreshPrefix, StringComparison.Ordinal))
            {
                await folder.DeleteAsync(file.Name, cancel);
            }
            else if (file.Name.StartsWith(RingFileName.SparePrefix, StringComparison.Ordinal))
            {
                _spares.Enqueue(file.Name);
            }
            else if (file.Name.StartsWith(RingFileName.JournalPrefix, StringComparison.Ordinal) && await NeverWrittenAsync(file.Name, cancel))
            {
                await RetireAsync(file.Name, cancel);
            }
        }

        _started = true;
        ports.Scheduler.Start("journal-ring", KeepAsync);
        ports.Scheduler.Start("journal-ring-delay", async () =>
        {
            await Task.Delay(options.ZeroingDelay, ports.Time);
            _mayZero = true;
            _wake.Set();
        });
    }

    /// <summary>A file of at least <paramref name="minLength"/> bytes, under a new name; its content is anything.</summary>
    public async ValueTask<IJournalFile> TakeAsync(long minLength, CancellationToken cancel)
    {
        string? spare = null;
        string name;
        lock (_gate)
        {
            name = RingFileName.Journal(_nextNumber++);
            _inUse.Add(name);
            _filled++;
            if (minLength <= options.FileBytes)
            {
                _spares.TryDequeue(out spare);
            }
        }

        _wake.Set();
        try
        {
            if (spare is null)
            {
                return await folder.OpenAsync(name, Math.Max(minLength, options.FileBytes), cancel);
            }

            await folder.RenameAsync(spare, name, cancel);
            return await folder.OpenAsync(name, null, cancel);
        }
        catch
        {
            lock (_gate)
            {
                _inUse.Remove(name);
            }

            if (spare is null)
            {
                await ForgetAsync(name);
            }

            throw;
        }
    }

    /// <summary>A file that could not be made, for lack of space, may be there without its length: it would stay, one for each try.</summary>
    private async ValueTask ForgetAsync(string name)
    {
        try
        {
            await folder.DeleteAsync(name, CancellationToken.None);
        }
        catch (IOException e)
        {
            _log.LogWarning(e, "Journal ring: '{File}' could not be created, nor deleted; the next start does", name);
        }
    }

    /// <summary>Whether an open journal owns this file, whatever its old content says.</summary>
    public bool InUse(string name)
    {
        lock (_gate)
        {
            return _inUse.Contains(name);
        }
    }

    /// <summary>A write to this file failed: it is never written again, and deleted rather than recycled.</summary>
    public void Doubt(string name)
    {
        lock (_gate)
        {
            _doubtful.Add(name);
        }
    }

    /// <summary>The journal that owned this file is closed; its data stays.</summary>
    public void Leave(string name)
    {
        lock (_gate)
        {
            _inUse.Remove(name);
        }
    }

    /// <summary>Takes back a trimmed file, in the background.</summary>
    public void Release(string name)
    {
        lock (_gate)
        {
            _released.Enqueue(name);
        }

        _wake.Set();
    }

    /// <summary>Takes back a file whose data nobody needs: recycles it, or deletes it where there are enough.</summary>
    public async ValueTask RetireAsync(string name, CancellationToken cancel)
    {
        var files = folder.List();
        var length = files.FirstOrDefault(f => f.Name == name).Length;
        bool recycle;
        string spare;
        lock (_gate)
        {
            recycle = length == options.FileBytes && files.Sum(f => f.Length) <= options.MaxBytes && !_doubtful.Contains(name);
            spare = RingFileName.Spare(_nextNumber++);
        }

        if (recycle)
        {
            await folder.RenameAsync(name, spare, cancel);
        }
        else
        {
            await folder.DeleteAsync(name, cancel);
        }

        lock (_gate)
        {
            _inUse.Remove(name);
            _doubtful.Remove(name);
            if (recycle)
            {
                _spares.Enqueue(spare);
            }
        }
    }

    /// <summary>A crash between taking a new file and its first block leaves zeros.</summary>
    private async ValueTask<bool> NeverWrittenAsync(string name, CancellationToken cancel)
    {
        var bytes = new byte[DiskJournal.Alignment];
        await using var file = await folder.OpenAsync(name, null, cancel);
        await file.ReadAsync(0, bytes, cancel);
        return !bytes.AsSpan().ContainsAnyExcept((byte)0);
    }

    private async Task KeepAsync()
    {
        while (true)
        {
            string? released, unaffordable = null;
            bool more;
            var free = folder.FreeBytes;
            lock (_gate)
            {
                if (!_released.TryDequeue(out released) && free < options.LeaveFreeBytes)
                {
                    _spares.TryDequeue(out unaffordable);
                }

                more = _mayZero && _spares.Count < options.ZeroedAhead + _filled && free - options.FileBytes >= options.LeaveFreeBytes;
            }

            try
            {
                if (released is not null)
                {
                    await RetireAsync(released, CancellationToken.None);
                }
                else if (unaffordable is not null)
                {
                    await folder.DeleteAsync(unaffordable, CancellationToken.None);
                }
                else if (!more || folder.List().Sum(f => f.Length) + options.FileBytes > options.MaxBytes)
                {
                    await _wake.WaitAsync();
                }
                else
                {
                    await ZeroOneAsync();
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The file stays where it is, under a name that the next start understands; the journal itself goes on without it.
                _log.LogWarning(e, "Journal ring: could not recycle, prepare or give back a file ({File})", released ?? unaffordable);
                await _wake.WaitAsync();
            }
        }
    }

    private async ValueTask ZeroOneAsync()
    {
        string fresh, spare;
        lock (_gate)
        {
            fresh = RingFileName.Fresh(_nextNumber++);
            spare = RingFileName.Spare(_nextNumber++);
        }

        try
        {
            await using (var file = await folder.OpenAsync(fresh, options.FileBytes, CancellationToken.None))
            {
                await file.ZeroAsync(CancellationToken.None);
            }

            await folder.RenameAsync(fresh, spare, CancellationToken.None);
        }
        catch (IOException)
        {
            await folder.DeleteAsync(fresh, CancellationToken.None);
            throw;
        }

        lock (_gate)
        {
            _spares.Enqueue(spare);
        }
    }
}
