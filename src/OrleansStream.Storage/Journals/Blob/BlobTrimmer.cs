using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Blob;

/// <summary>
/// Deletes what a journal's writer no longer needs: only below the lowest sequence that a durable object states, since that is where a fencer starts. Hence
/// never the newest durable object; below, gaps do no harm.
/// </summary>
internal sealed class BlobTrimmer(IObjectStore store, Guid journalId, RuntimePorts ports, BlobJournalOptions options, AsyncSignal journal)
{
    private readonly ILogger _log = ports.Logs.CreateLogger<BlobTrimmer>();
    private readonly AsyncSignal _wake = new();
    private readonly CancellationTokenSource _stop = new();
    private long _stated;
    private long _next;
    private volatile bool _look;
    private volatile bool _due;

    /// <summary>The highest "lowest sequence still kept" of a durable object.</summary>
    public long LowestStated => Interlocked.Read(ref _stated);

    /// <summary>A durable object states this.</summary>
    public void Stated(long lowestKept)
    {
        if (lowestKept > LowestStated)
        {
            Interlocked.Exchange(ref _stated, lowestKept);
            _wake.Set();
        }
    }

    /// <summary>Something was sealed: if no commit states a new lowest sequence soon, the journal is asked for an empty object that does.</summary>
    public void Look()
    {
        _look = true;
        _wake.Set();
    }

    /// <summary>Whether the journal was asked for an empty object; asked once.</summary>
    public bool TakeDue()
    {
        var due = _due;
        _due = false;
        return due;
    }

    public void Stop()
    {
        _stop.Cancel();
        _wake.Set();
    }

    public async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await _wake.WaitAsync();
                _stop.Token.ThrowIfCancellationRequested();
                await DeleteAsync();
                if (_look)
                {
                    _look = false;
                    await Task.Delay(options.IdleTrimDelay, ports.Time, _stop.Token);
                    _due = true;
                    journal.Set();
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The journal is gone; a sweep deletes what is left once no manifest lists it.
        }
    }

    private async ValueTask DeleteAsync()
    {
        while (LowestStated - _next is var waiting and > 0)
        {
            var deletes = new Task[Math.Min(waiting, Math.Min(1 + waiting / options.WaitingPerDelete, options.MaxDeletes))];
            for (var i = 0; i < deletes.Length; i++)
            {
                deletes[i] = DeleteAsync(_next + i);
            }

            await Task.WhenAll(deletes);
            _next += deletes.Length;
        }
    }

    private async Task DeleteAsync(long sequence)
    {
        for (var delay = options.RetryDelay; ; delay = delay * 2 < options.MaxRetryDelay ? delay * 2 : options.MaxRetryDelay)
        {
            try
            {
                await store.DeleteAsync(JournalObjectName.Of(journalId, sequence), _stop.Token);
                return;
            }
            catch (IOException e)
            {
                _log.LogWarning(e, "Journal {Id}: object {Sequence} could not be deleted, and is tried again in {Delay}", journalId, sequence, delay);
                await Task.Delay(delay, ports.Time, _stop.Token);
            }
        }
    }
}
