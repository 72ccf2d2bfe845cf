using System.Buffers;
using OrleansStream.Broker.Groups;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Journals.Blob;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation;

/// <summary>A defect put in on purpose: the simulation has to find it, or it proves nothing.</summary>
internal class Mutation
{
    /// <summary>The store as journals see it.</summary>
    public virtual IObjectStore Store(IObjectStore store) => store;

    /// <summary>The store as everything else sees it.</summary>
    public virtual IObjectStore Manifests(IObjectStore store) => store;

    public virtual IJournalSystem Journals(IJournalSystem journals, SimulatedProcess process) => journals;

    /// <summary>The manifests of a cluster's brokers.</summary>
    public virtual IManifestStore ManifestStore(IManifestStore manifests) => manifests;

    /// <summary>The coordinator of groups as clients see it.</summary>
    public virtual IGroupCoordinator Groups(IGroupCoordinator groups) => groups;
}

/// <summary>The owner's journal leaves the manifest though not everything is sealed, as a release that does not wait would do.</summary>
internal sealed class ForgetsTheJournal : Mutation
{
    public override IManifestStore ManifestStore(IManifestStore manifests) => new Forgetful(manifests);

    private sealed class Forgetful(IManifestStore inner) : IManifestStore
    {
        public ValueTask<StoredObject?> LoadAsync(PartitionId partition, CancellationToken cancel) => inner.LoadAsync(partition, cancel);

        public ValueTask<PutResult> SwapAsync(PartitionId partition, ReadOnlyMemory<byte> manifest, string? etag, CancellationToken cancel)
        {
            var decoded = ManifestCodec.Decode(partition, manifest.Span);
            return inner.SwapAsync(partition, decoded.Journals.Length == 1 ? ManifestCodec.Encode(partition, decoded with { Journals = [] }) : manifest, etag, cancel);
        }

        public ValueTask DeleteAsync(PartitionId partition, CancellationToken cancel) => inner.DeleteAsync(partition, cancel);
    }
}

/// <summary>Entries are confirmed when they are handed over, not when they are durable.</summary>
internal sealed class ConfirmsBeforeDurable : Mutation
{
    public override IJournalSystem Journals(IJournalSystem journals, SimulatedProcess process) => new System(journals, process);

    private sealed class System(IJournalSystem inner, SimulatedProcess process) : MutatedJournals(inner)
    {
        protected override IJournal Wrap(IJournal journal) => new Journal(journal, process);
    }

    private sealed class Journal(IJournal inner, SimulatedProcess process) : MutatedJournal(inner)
    {
        private readonly Queue<JournalEntry> _early = new();

        public override void Append(JournalEntry entry)
        {
            Inner.Append(new Silent(entry));
            _early.Enqueue(entry);
            process.Start("early", () =>
            {
                _early.Dequeue().Complete(JournalOutcome.Durable);
                return Task.CompletedTask;
            });
        }
    }

    private sealed class Silent : JournalEntry
    {
        public Silent(JournalEntry entry)
        {
            (Partition, LeaderEpoch, BaseOffset, LastOffset) = (entry.Partition, entry.LeaderEpoch, entry.BaseOffset, entry.LastOffset);

            // A copy, since the log may reuse the memory of what it believes to be durable.
            Payload = entry.Payload.ToArray();
        }

        public override void Complete(JournalOutcome outcome) { }
    }
}

/// <summary>Everything durable counts as sealed at once.</summary>
internal sealed class TrimsWhatIsNotSealed : Mutation
{
    public override IJournalSystem Journals(IJournalSystem journals, SimulatedProcess process) => new System(journals);

    private sealed class System(IJournalSystem inner) : MutatedJournals(inner)
    {
        protected override IJournal Wrap(IJournal journal) => new Journal(journal);
    }

    private sealed class Journal(IJournal inner) : MutatedJournal(inner)
    {
        public override void Append(JournalEntry entry)
        {
            base.Append(entry);
            Sealed(entry.Partition, entry.LeaderEpoch, Math.Max(0, entry.BaseOffset - 20));
        }
    }
}

/// <summary>A replay forgets the last entry of a journal.</summary>
internal sealed class ReplaysTooLittle : Mutation
{
    public override IJournalSystem Journals(IJournalSystem journals, SimulatedProcess process) => new System(journals);

    private sealed class System(IJournalSystem inner) : MutatedJournals(inner)
    {
        public override async ValueTask ReplayAsync(Guid journalId, IJournalReplay replay, CancellationToken cancel)
        {
            var all = new ReplayList();
            await base.ReplayAsync(journalId, all, cancel);
            foreach (var entry in all.Entries.SkipLast(1))
            {
                replay.Entry(new ReplayedEntry(entry.Partition, entry.LeaderEpoch, entry.BaseOffset, entry.LastOffset, entry.Payload));
            }
        }
    }
}

/// <summary>The writer does not see markers: its puts replace whatever has the name, so that a fence stops nobody.</summary>
internal sealed class FencesNobody : Mutation
{
    public override IObjectStore Store(IObjectStore store) => new Overwriting(store);

    private sealed class Overwriting(IObjectStore inner) : MutatedStore(inner)
    {
        public override async ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel)
        {
            if (content.Length != FenceMarker.Length && await Inner.ReadAsync(name, cancel) is { } there)
            {
                return await Inner.ReplaceAsync(name, content, there.ETag, cancel);
            }

            return await Inner.CreateAsync(name, content, cancel);
        }
    }
}

/// <summary>A writer that finds its name taken believes that it was itself.</summary>
internal sealed class TakesExistsForSuccess : Mutation
{
    public override IObjectStore Store(IObjectStore store) => new Believing(store);

    private sealed class Believing(IObjectStore inner) : MutatedStore(inner)
    {
        public override async ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel)
        {
            var result = await Inner.CreateAsync(name, content, cancel);
            return result.Outcome == PutOutcome.Conflict && content.Length != FenceMarker.Length ? PutResult.Done("") : result;
        }
    }
}

/// <summary>That records were deleted is not stored.</summary>
internal sealed class ForgetsDeletions : Mutation
{
    public override IObjectStore Manifests(IObjectStore store) => new LogStarts(store, static _ => 0);
}

/// <summary>Of what is deleted, a record too many goes.</summary>
internal sealed class DeletesTooMuch : Mutation
{
    public override IObjectStore Manifests(IObjectStore store) => new LogStarts(store, static start => start == 0 ? 0 : start + 1);
}

/// <summary>Manifests are stored with another start of the log than their owner wanted.</summary>
internal sealed class LogStarts(IObjectStore inner, Func<long, long> change) : MutatedStore(inner)
{
    public override ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel) => Inner.CreateAsync(name, content, cancel);

    public override ValueTask<PutResult> ReplaceAsync(string name, ReadOnlySequence<byte> content, string etag, CancellationToken cancel)
    {
        if (ManifestNames.PartitionOf(name) is { } partition && name == ManifestNames.Manifest(partition))
        {
            var manifest = ManifestCodec.Decode(partition, content.ToArray());
            content = new ReadOnlySequence<byte>(ManifestCodec.Encode(partition, manifest with { LogStartOffset = change(manifest.LogStartOffset) }));
        }

        return Inner.ReplaceAsync(name, content, etag, cancel);
    }
}

internal abstract class MutatedJournals(IJournalSystem inner) : IJournalSystem
{
    public bool Shared => inner.Shared;
    public async ValueTask<IJournal> OpenAsync(CancellationToken cancel) => Wrap(await inner.OpenAsync(cancel));
    public ValueTask FenceAsync(Guid journalId, CancellationToken cancel) => inner.FenceAsync(journalId, cancel);
    public virtual ValueTask ReplayAsync(Guid journalId, IJournalReplay replay, CancellationToken cancel) => inner.ReplayAsync(journalId, replay, cancel);
    public ValueTask DeleteAsync(Guid journalId, CancellationToken cancel) => inner.DeleteAsync(journalId, cancel);
    public ValueTask<IReadOnlyList<Guid>> ListAsync(CancellationToken cancel) => inner.ListAsync(cancel);
    protected virtual IJournal Wrap(IJournal journal) => journal;
}

internal abstract class MutatedJournal(IJournal inner) : IJournal
{
    protected IJournal Inner => inner;
    public Guid Id => inner.Id;
    public Task<string> Closed => inner.Closed;
    public long PendingBytes => inner.PendingBytes;
    public virtual void Append(JournalEntry entry) => inner.Append(entry);
    public void Sealed(PartitionId partition, int leaderEpoch, long endOffset) => inner.Sealed(partition, leaderEpoch, endOffset);
    public JournalBacklog Backlog() => inner.Backlog();
    public ValueTask CloseAsync(CancellationToken cancel) => inner.CloseAsync(cancel);
    public ValueTask DisposeAsync() => inner.DisposeAsync();
}

internal abstract class MutatedStore(IObjectStore inner) : IObjectStore
{
    protected IObjectStore Inner => inner;
    public abstract ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel);

    public virtual ValueTask<PutResult> ReplaceAsync(string name, ReadOnlySequence<byte> content, string etag, CancellationToken cancel) =>
        inner.ReplaceAsync(name, content, etag, cancel);

    public ValueTask<StoredObject?> ReadAsync(string name, CancellationToken cancel) => inner.ReadAsync(name, cancel);

    public ValueTask<int> ReadRangeAsync(string name, long offset, Memory<byte> destination, CancellationToken cancel) =>
        inner.ReadRangeAsync(name, offset, destination, cancel);

    public ValueTask DeleteAsync(string name, CancellationToken cancel) => inner.DeleteAsync(name, cancel);
    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancel) => inner.ListAsync(prefix, cancel);
}
