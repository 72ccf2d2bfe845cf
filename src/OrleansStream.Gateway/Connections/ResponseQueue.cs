using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using OrleansStream.Gateway.Dispatch;

namespace OrleansStream.Gateway.Connections;

/// <summary>
/// The answers of requests under way, in the order of the requests. Bounded: a client that sends without reading, or faster than the journal
/// takes, is not read any further. Answers that are ready together leave in one flush.
/// </summary>
internal sealed class ResponseQueue(ResponseWriter responses, Action ended, ILogger log)
{
    private const int MaxUnderWay = 512;

    // The writer goes on as the reader, up to where an answer is not ready: one switch of threads less for each request.
    private readonly Channel<Entry> _entries = Channel.CreateBounded<Entry>(
        new BoundedChannelOptions(MaxUnderWay) { SingleReader = true, SingleWriter = true, AllowSynchronousContinuations = true });

    private int _underWay;
    private volatile bool _ended;

    // Either an answer to come, or (Drained set) a mark that the reader waits for.
    private readonly record struct Entry(ApiHandler? Handler, RequestContext? Context, IPendingAnswer? Pending, TaskCompletionSource? Drained);

    /// <summary>Whether no answer can be sent any more.</summary>
    public bool Ended => _ended;

    /// <summary>Requests that have begun and are not answered yet.</summary>
    public int UnderWay => Volatile.Read(ref _underWay);

    /// <summary>Why the connection must be closed, where an answer demanded it.</summary>
    public string? CloseReason { get; private set; }

    public ValueTask EnqueueAsync(ApiHandler handler, RequestContext context, IPendingAnswer pending)
    {
        Interlocked.Increment(ref _underWay);
        return _entries.Writer.WriteAsync(new Entry(handler, context, pending, null));
    }

    /// <summary>Completes when everything enqueued has been answered and flushed, and the writer is the caller's.</summary>
    public async ValueTask DrainAsync()
    {
        if (Volatile.Read(ref _underWay) == 0)
            return;
        var drained = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _entries.Writer.WriteAsync(new Entry(null, null, null, drained));
        await drained.Task;
    }

    public void Complete() => _entries.Writer.Complete();

    /// <summary>Sends the answers until <see cref="Complete"/> and the last of them.</summary>
    public async Task RunAsync()
    {
        ChannelReader<Entry> reader = _entries.Reader;
        while (await reader.WaitToReadAsync())
        {
            int answered = 0;
            while (reader.TryRead(out Entry entry))
            {
                if (entry.Drained is { } drained)
                {
                    await FlushAsync(answered);
                    answered = 0;
                    drained.SetResult();
                    continue;
                }
                await AnswerAsync(entry);
                answered++;
            }
            await FlushAsync(answered);
        }
    }

    private async ValueTask AnswerAsync(Entry entry)
    {
        try
        {
            await TryAnswerAsync(entry);
        }
        catch (Exception defect)
        {
            log.LogError(defect, "closing {Peer}: the answer to {Api} failed", entry.Context!.Peer.Address, entry.Context.Api);
            End();
        }
    }

    private async ValueTask TryAnswerAsync(Entry entry)
    {
        ValueTask<Answer> completion = entry.Pending!.CompleteAsync();
        if (!completion.IsCompleted)
            await FlushAsync(0);
        Answer answer = await completion;
        if (_ended)
        {
            answer.Release();
            return;
        }
        if (answer.CloseReason is { } reason)
        {
            CloseReason = reason;
            End();
        }
        else if (!await responses.WriteAsync(entry.Handler!, entry.Context!, answer))
        {
            End();
        }
    }

    private async ValueTask FlushAsync(int answered)
    {
        if (responses.Unflushed && !_ended && !await responses.FlushAsync())
            End();
        if (answered > 0)
            Interlocked.Add(ref _underWay, -answered);
    }

    private void End()
    {
        _ended = true;
        ended();
    }
}
