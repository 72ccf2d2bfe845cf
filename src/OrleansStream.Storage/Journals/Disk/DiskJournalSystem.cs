using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Disk;

/// <summary>Journals of one process alone, in a folder that it has locked: a ring of recycled files. Other processes cannot reach them, so there is nobody to fence but oneself.</summary>
public sealed class DiskJournalSystem(IJournalFolder folder, RuntimePorts ports, DiskJournalOptions options) : IJournalSystem
{
    private readonly IJournalFolder _folder = folder;
    private readonly RuntimePorts _ports = ports;
    private readonly DiskJournalOptions _options = options;

    public bool Shared => false;

    public ValueTask<IJournal> OpenAsync(CancellationToken cancel) => throw new NotImplementedException($"{_folder} {_ports} {_options}");
    public ValueTask FenceAsync(Guid journalId, CancellationToken cancel) => throw new NotImplementedException();
    public ValueTask ReplayAsync(Guid journalId, IJournalReplay replay, CancellationToken cancel) => throw new NotImplementedException();
    public ValueTask DeleteAsync(Guid journalId, CancellationToken cancel) => throw new NotImplementedException();
    public ValueTask<IReadOnlyList<Guid>> ListAsync(CancellationToken cancel) => throw new NotImplementedException();
}
