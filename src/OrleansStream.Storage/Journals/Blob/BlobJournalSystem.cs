using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Blob;

/// <summary>Journals as numbered immutable objects in a store that many processes share: journal/&lt;journal id&gt;/&lt;sequence&gt;. No leases, no clocks: fence markers.</summary>
public sealed class BlobJournalSystem(IObjectStore store, RuntimePorts ports, BlobJournalOptions options) : IJournalSystem
{
    private readonly IObjectStore _store = store;
    private readonly RuntimePorts _ports = ports;
    private readonly BlobJournalOptions _options = options;

    public bool Shared => true;

    public ValueTask<IJournal> OpenAsync(CancellationToken cancel) => throw new NotImplementedException($"{_store} {_ports} {_options}");
    public ValueTask FenceAsync(Guid journalId, CancellationToken cancel) => throw new NotImplementedException();
    public ValueTask ReplayAsync(Guid journalId, IJournalReplay replay, CancellationToken cancel) => throw new NotImplementedException();
    public ValueTask DeleteAsync(Guid journalId, CancellationToken cancel) => throw new NotImplementedException();
    public ValueTask<IReadOnlyList<Guid>> ListAsync(CancellationToken cancel) => throw new NotImplementedException();
}
