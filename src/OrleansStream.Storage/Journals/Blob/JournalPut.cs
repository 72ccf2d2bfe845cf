using System.Buffers;
using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Blob;

/// <summary>
/// One commit on its way into the store. Created: durable. Exists or unknown: the object is read; the same bytes mean durable, others mean that somebody fenced
/// this journal, none mean that the same bytes are sent again, for as long as it takes: a commit is never taken back.
/// </summary>
internal sealed class JournalPut
{
    private readonly List<Segment> _segments = [];
    private ReadOnlySequence<byte> _content;
    private volatile bool _done;

    public Commit Commit { get; } = new();
    public long Sequence { get; private set; }
    public long StartedAt { get; private set; }

    /// <summary>Whether nothing of this put goes on any more; <see cref="Outcome"/> is known then.</summary>
    public bool Done => _done;

    /// <summary>Null while under way, and where it was given up by cancellation.</summary>
    public JournalOutcome? Outcome { get; private set; }

    /// <summary>Completes when nothing of this put uses the commit's memory any more.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    public void Start(IObjectStore store, Guid journalId, RuntimePorts ports, BlobJournalOptions options, ILogger log, Action ended, CancellationToken cancel)
    {
        Sequence = Commit.Header.Number;
        StartedAt = ports.Time.GetTimestamp();
        Outcome = null;
        _done = false;
        _content = Join();
        Ended = RunAsync(store, JournalObjectName.Of(journalId, Sequence), ports, options, log, ended, cancel);
    }

    private async Task RunAsync(
        IObjectStore store, string name, RuntimePorts ports, BlobJournalOptions options, ILogger log, Action ended, CancellationToken cancel)
    {
        var delay = options.RetryDelay;
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                if ((await store.CreateAsync(name, _content, cancel)).Outcome == PutOutcome.Done)
                {
                    Outcome = JournalOutcome.Durable;
                    break;
                }

                if (await store.ReadAsync(name, cancel) is { } found)
                {
                    Outcome = Holds(found.Content.Span) ? JournalOutcome.Durable : JournalOutcome.Fenced;
                    break;
                }
            }
            catch (Exception e) when (!cancel.IsCancellationRequested)
            {
                log.LogWarning(e, "Journal: '{Name}' could not be put, and is tried again in {Delay}", name, delay);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            try
            {
                await Task.Delay(delay, ports.Time, cancel);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            delay = delay * 2 < options.MaxRetryDelay ? delay * 2 : options.MaxRetryDelay;
        }

        _done = true;
        ended();
    }

    private bool Holds(ReadOnlySpan<byte> stored)
    {
        foreach (var part in _content)
        {
            if (stored.Length < part.Length || !stored[..part.Length].SequenceEqual(part.Span))
            {
                return false;
            }

            stored = stored[part.Length..];
        }

        return stored.IsEmpty;
    }

    private ReadOnlySequence<byte> Join()
    {
        long at = 0;
        for (var i = 0; i < Commit.Parts.Count; i++)
        {
            if (i == _segments.Count)
            {
                _segments.Add(new Segment());
            }

            _segments[i].Set(Commit.Parts[i], at, i == 0 ? null : _segments[i - 1]);
            at += Commit.Parts[i].Length;
        }

        return new ReadOnlySequence<byte>(_segments[0], 0, _segments[Commit.Parts.Count - 1], Commit.Parts[^1].Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public void Set(ReadOnlyMemory<byte> memory, long at, Segment? before)
        {
            Memory = memory;
            RunningIndex = at;
            Next = null;
            before?.Next = this;
        }
    }
}
