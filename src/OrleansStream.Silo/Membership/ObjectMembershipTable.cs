using System.Buffers;
using Orleans;
using Orleans.Runtime;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Membership;

/// <summary>
/// Orleans' membership table in the store that keeps the data: one object, compared and swapped, for a folder (several silos on one machine, no service)
/// and for a container. Rows and version are one object, hence atomic by nature.
/// <para>
/// Every silo says a few times a minute that it is alive, and that write goes past Orleans' conditions: so the ETags that Orleans sees are ids inside the
/// object, not the object's own, which changes with every write.
/// </para>
/// </summary>
public sealed class ObjectMembershipTable : IMembershipTable
{
    private const string Prefix = "cluster/membership/";
    private const int Tries = 40;
    private static readonly TimeSpan PauseAfterUnknown = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan PauseAtMost = TimeSpan.FromSeconds(1);

    private readonly IObjectStore _store;
    private readonly TimeProvider _time;
    private readonly string _name;

    /// <param name="clusterId">Orleans' cluster id; letters, digits and <c>._-</c>, as it names the object.</param>
    public ObjectMembershipTable(IObjectStore store, string clusterId, TimeProvider time)
    {
        if (!IsClusterId(clusterId))
            throw new ArgumentException($"'{clusterId}' is no cluster id: it has letters, digits and ._- only", nameof(clusterId));
        _store = store;
        _time = time;
        _name = Prefix + clusterId;
    }

    /// <summary>Whether it can name an object.</summary>
    public static bool IsClusterId(string clusterId) =>
        clusterId.Length is > 0 and <= 100 && clusterId[0] != '.' && clusterId.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    /// <summary>There is nothing to be made: what nobody has written is an empty table. Proves that the store can be reached.</summary>
    public Task InitializeMembershipTableAsync(bool tryInitTableVersion, CancellationToken cancel) => ReadAsync(cancel);

    public Task DeleteMembershipTableEntriesAsync(string clusterId, CancellationToken cancel) => _store.DeleteAsync(Prefix + clusterId, cancel).AsTask();

    public Task CleanupDefunctSiloEntriesAsync(DateTimeOffset beforeDate, CancellationToken cancel) => ChangeAsync(
        table =>
        {
            MembershipRow[] kept = [.. table.Silos.Where(row => row.Status == SiloStatus.Active || row.LastHeardOf >= beforeDate.UtcDateTime)];
            return kept.Length == table.Silos.Count ? null : table with { Silos = kept };
        },
        cancel);

    public async Task<MembershipTableData> ReadRowAsync(SiloAddress key, CancellationToken cancel)
    {
        MembershipDocument table = (await ReadAsync(cancel)).Table;
        return table.Find(key) is { } row ? new MembershipTableData(row.ToEntry(), table.ToTableVersion()) : new MembershipTableData(table.ToTableVersion());
    }

    public async Task<MembershipTableData> ReadAllAsync(CancellationToken cancel)
    {
        MembershipDocument table = (await ReadAsync(cancel)).Table;
        return new MembershipTableData([.. table.Silos.Select(static row => row.ToEntry())], table.ToTableVersion());
    }

    public Task<bool> InsertRowAsync(MembershipEntry entry, TableVersion tableVersion, CancellationToken cancel)
    {
        string etag = NewETag();
        return ChangeAsync(
            table => table.VersionETag == tableVersion.VersionEtag && table.Find(entry.SiloAddress) is null
                ? Next(table, tableVersion, MembershipRow.From(entry, etag))
                : null,
            cancel);
    }

    public Task<bool> UpdateRowAsync(MembershipEntry entry, string etag, TableVersion tableVersion, CancellationToken cancel)
    {
        string newETag = NewETag();
        return ChangeAsync(
            table => table.VersionETag == tableVersion.VersionEtag && table.Find(entry.SiloAddress) is { } row && row.ETag == etag
                ? Next(table, tableVersion, MembershipRow.From(entry, newETag))
                : null,
            cancel);
    }

    public Task UpdateIAmAliveAsync(MembershipEntry entry, CancellationToken cancel)
    {
        DateTime alive = MembershipRow.Utc(entry.IAmAliveTime);
        return ChangeAsync(table => table.Find(entry.SiloAddress) is { } row && row.Alive != alive ? table.With(row with { Alive = alive }) : null, cancel);
    }

    // The same without cancellation, which Orleans still asks every table for.
    Task IMembershipTable.InitializeMembershipTable(bool tryInitTableVersion) => InitializeMembershipTableAsync(tryInitTableVersion, default);
    Task IMembershipTable.DeleteMembershipTableEntries(string clusterId) => DeleteMembershipTableEntriesAsync(clusterId, default);
    Task IMembershipTable.CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => CleanupDefunctSiloEntriesAsync(beforeDate, default);
    Task<MembershipTableData> IMembershipTable.ReadRow(SiloAddress key) => ReadRowAsync(key, default);
    Task<MembershipTableData> IMembershipTable.ReadAll() => ReadAllAsync(default);
    Task<bool> IMembershipTable.InsertRow(MembershipEntry entry, TableVersion tableVersion) => InsertRowAsync(entry, tableVersion, default);
    Task<bool> IMembershipTable.UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) => UpdateRowAsync(entry, etag, tableVersion, default);
    Task IMembershipTable.UpdateIAmAlive(MembershipEntry entry) => UpdateIAmAliveAsync(entry, default);

    private static MembershipDocument Next(MembershipDocument table, TableVersion version, MembershipRow row) =>
        table.With(row) with { Version = version.Version, VersionETag = NewETag() };

    private static string NewETag() => Guid.NewGuid().ToString("N");

    private async Task<(MembershipDocument Table, string? ETag)> ReadAsync(CancellationToken cancel)
    {
        StoredObject? there = await _store.ReadAsync(_name, cancel);
        return there is null ? (MembershipDocument.Empty, null) : (MembershipDocument.Parse(_name, there.Content), there.ETag);
    }

    /// <summary>
    /// Swaps the table for what <paramref name="change"/> makes of the newest one, again where another silo came in between. False: null came from it.
    /// Throws <see cref="StoreUnavailableException"/>: then the change may or may not have happened, and Orleans reads again.
    /// </summary>
    private async Task<bool> ChangeAsync(Func<MembershipDocument, MembershipDocument?> change, CancellationToken cancel)
    {
        Guid write = Guid.NewGuid();
        bool mayHaveWritten = false;
        for (int attempt = 1; attempt <= Tries; attempt++)
        {
            (MembershipDocument table, string? etag) = await ReadAsync(cancel);
            // A write whose answer was lost, or that the store's own retry met: its id tells.
            if (mayHaveWritten && table.Writes.Contains(write))
                return true;
            if (change(table) is not { } next)
                return false;
            var content = new ReadOnlySequence<byte>(next.WrittenAs(write).ToBytes());
            PutResult put = etag is null ? await _store.CreateAsync(_name, content, cancel) : await _store.ReplaceAsync(_name, content, etag, cancel);
            if (put.Outcome == PutOutcome.Done)
                return true;
            mayHaveWritten = true;
            await Task.Delay(Pause(put.Outcome, attempt), _time, cancel);
        }
        throw new StoreUnavailableException($"the store did not take the membership table '{_name}' in {Tries} tries");
    }

    // Silos that were refused because another was first try again at once, each after a while of its own.
    private static TimeSpan Pause(PutOutcome outcome, int attempt) => outcome == PutOutcome.Conflict
        ? TimeSpan.FromMilliseconds(Random.Shared.Next(0, 10 * Math.Min(attempt, 10)))
        : TimeSpan.FromTicks(Math.Min(PauseAfterUnknown.Ticks << Math.Min(attempt, 10), PauseAtMost.Ticks));
}
