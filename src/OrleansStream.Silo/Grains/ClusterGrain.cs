using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Concurrency;
using Orleans.Runtime;
using OrleansStream.Broker.Cluster;
using OrleansStream.Grains;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Hosting;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Grains;

/// <summary>Hosts the <see cref="ClusterController"/>: tells it who lives, and brings its commands to the grains of partitions.</summary>
[Reentrant, GrainType("cluster")]
internal sealed class ClusterGrain(
    SiloEngine engine, RuntimePorts ports, IObjectStore store, ClusterKnowledge knowledge, IClusterMembershipService membership, ILogger<ClusterGrain> log)
    : Grain, IClusterGrain
{
    private static readonly TimeSpan HeldAtMost = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();
    private ClusterController? _controller;

    private ClusterController Controller => _controller ?? throw new InvalidOperationException("the controller has not begun");

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        DelayDeactivation(Timeout.InfiniteTimeSpan);
        var parts = new ControllerParts(
            ports, store, engine.Engine.Me.NodeId, () => engine.Engine.Cluster.TopicsByName.Values, new GrainPartitionCommands(GrainFactory));
        // The director in this silo must know an assignment before the controller calls the grain that it is about.
        _controller = await ClusterController.StartAsync(parts, news => knowledge.Assign(news.ToContract()), cancellationToken);
        log.LogInformation("The cluster's controller runs in this silo");
        WatchMembership();
        _ = EndAsync(_controller);
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _stopping.Cancel();
        _controller?.Dispose();
        return Task.CompletedTask;
    }

    public Task<TopicInfo[]> ListTopicsAsync() => Task.FromResult<TopicInfo[]>(
    [
        .. engine.Engine.Cluster.TopicsByName.Values.OrderBy(static t => t.Name, StringComparer.Ordinal)
            .Select(static t => new TopicInfo(t.Name, t.Id, t.Partitions.Count, t.ReplicationFactor)),
    ]);

    public async Task<BrokerNews> ExchangeAsync(BrokerReport report)
    {
        PartitionEvent[] events = [.. report.Events.Select(static e => new PartitionEvent(new PartitionId(e.TopicId, e.Index), e.LeaderEpoch, e.Serves))];
        if (Controller.Report(report.Broker.ToMember() with { IsLeaving = report.IsLeaving }, events) is { } refusal)
            return Contracts.Refused(refusal);
        Controller.Knows(report.Broker.NodeId, report.Version);
        TimeSpan held = TimeSpan.FromMilliseconds(report.WaitMs);
        ClusterNews news = await Controller.NewsAsync(report.Version, held < HeldAtMost ? held : HeldAtMost, _stopping.Token);
        return news.ToContract();
    }

    public async Task<long> TopicsChangedAsync(string[] names)
    {
        await engine.Engine.TopicsChangedAsync(names, _stopping.Token);
        return Controller.TopicsChanged(names);
    }

    public async Task<long> ConfigsChangedAsync()
    {
        await engine.Engine.ConfigsChangedAsync(_stopping.Token);
        return Controller.ConfigsChanged();
    }

    public Task LeaveAsync(int nodeId) => Controller.LeaveAsync(nodeId, _stopping.Token);

    private void WatchMembership()
    {
        ports.Scheduler.Start("watch membership", async () =>
        {
            try
            {
                await foreach (ClusterMembershipSnapshot snapshot in membership.MembershipUpdates.WithCancellation(_stopping.Token))
                {
                    Controller.Living(snapshot.Members.Values
                        .Where(static m => m.Status is not (SiloStatus.Dead or SiloStatus.None)).Select(static m => m.SiloAddress.ToParsableString()).ToHashSet());
                }
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                // The grain ends.
            }
        });
    }

    private async Task EndAsync(ClusterController controller)
    {
        await controller.Superseded;
        DeactivateOnIdle();
    }
}
