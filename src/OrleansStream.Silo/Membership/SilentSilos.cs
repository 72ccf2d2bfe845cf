using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Orleans.Runtime;

namespace OrleansStream.Silo.Membership;

/// <summary>
/// While a silo joins: has Orleans look again at rows that have fallen silent since it last looked. A joining silo must reach all that look alive, and takes no
/// part in declaring others dead, except those that have missed their signs of life. Which those are Orleans decides only when the table's version changes; and
/// where all silos were killed at once, their rows still looked alive when the last of the new ones came, and nothing changes the version any more until joining
/// times out (Orleans 10.2 and later; MembershipAgent.ValidateInitialConnectivity, ClusterHealthMonitor). So this silo writes its own row again, as it is: that
/// makes a new version. Who is dead stays Orleans' to find, by its probes.
/// </summary>
internal sealed class SilentSilos(
    IMembershipTable table, ILocalSiloDetails self, IOptions<ClusterMembershipOptions> options, TimeProvider time, ILogger<SilentSilos> log)
    : ILifecycleParticipant<ISiloLifecycle>
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _joined = new();
    private readonly HashSet<SiloAddress> _told = [];

    public void Participate(ISiloLifecycle lifecycle)
    {
        // From when this silo has its row until it is active, or gives up.
        Task looking = Task.CompletedTask;
        lifecycle.Subscribe(nameof(SilentSilos), ServiceLifecycleStage.ApplicationServices, _ => { looking = Task.Run(RunAsync); return Task.CompletedTask; }, EndAsync);
        lifecycle.Subscribe(nameof(SilentSilos), ServiceLifecycleStage.Active, EndAsync);

        async Task EndAsync(CancellationToken cancel)
        {
            await _joined.CancelAsync();
            await looking;
        }
    }

    /// <summary>Makes a new version of the table if a row has fallen silent since; answers how many have. Throws as the table does.</summary>
    internal async Task<int> LookAsync(CancellationToken cancel)
    {
        MembershipTableData all = await table.ReadAllAsync(cancel);
        if (all.TryGet(self.SiloAddress) is not { Item1.Status: SiloStatus.Joining } own)
            return 0;
        TimeSpan allowed = options.Value.IAmAliveTablePublishTimeout * options.Value.NumMissedTableIAmAliveLimit;
        DateTime now = time.GetUtcNow().UtcDateTime;
        SiloAddress[] silent =
        [
            .. all.Members.Select(static m => m.Item1).Where(m => m.Status == SiloStatus.Active && now - LastSign(m) > allowed && !_told.Contains(m.SiloAddress))
                .Select(static m => m.SiloAddress),
        ];
        // Where another silo changed the table first, there is a new version as well, but perhaps from before they fell silent.
        if (silent.Length == 0 || !await table.UpdateRowAsync(own.Item1, own.Item2, all.Version.Next(), cancel))
            return 0;
        _told.UnionWith(silent);
        return silent.Length;
    }

    private async Task RunAsync()
    {
        while (!_joined.IsCancellationRequested)
        {
            try
            {
                if (await LookAsync(_joined.Token) is > 0 and var silent)
                    log.LogInformation("{Count} silos look alive and have given no sign of life for long: they are probed", silent);
            }
            catch (OperationCanceledException) when (_joined.IsCancellationRequested)
            {
                return;
            }
            catch (IOException e)
            {
                log.LogWarning("The membership table cannot be looked at now: {Reason}", e.Message);
            }
            await Task.Delay(LookEvery, time, _joined.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static DateTime LastSign(MembershipEntry row) => row.IAmAliveTime > row.StartTime ? row.IAmAliveTime : row.StartTime;
}
