using OrleansStream.Broker.Engine;
using OrleansStream.Storage.Ports;
using OrleansStream.TestSupport;

namespace OrleansStream.Broker.Tests.Engine;

public sealed class ClusterCellTests
{
    private readonly MemoryObjectStore _store = new();

    [Fact]
    public async Task No_producer_id_is_given_twice_though_answers_are_lost_and_processes_die()
    {
        var losses = 0;
        _store.LoseAnswer = _ => losses++ % 3 == 0;
        HashSet<long> given = [];
        var others = new ProducerIds(_store, new TestPorts(99).Runtime);
        for (var life = 0; life < 5; life++)
        {
            var ids = new ProducerIds(_store, new TestPorts(life).Runtime);
            var some = await Task.WhenAll(Enumerable.Range(0, 1500).Select(i => (i % 2 == 0 ? ids : others).NextAsync(CancellationToken.None).AsTask()));
            Assert.All(some, id => Assert.True(given.Add(id), $"{id} twice"));
        }
        Assert.True(losses > 5);
        Assert.Equal(0, given.Min());
    }

    [Fact]
    public async Task A_producer_id_that_cannot_be_had_is_an_error_and_service_resumes()
    {
        var ids = new ProducerIds(_store, new TestPorts().Runtime);
        _store.BeforeCall = (_, _) => throw new StoreUnavailableException("away");
        await Assert.ThrowsAsync<StoreUnavailableException>(() => ids.NextAsync(CancellationToken.None).AsTask());
        _store.BeforeCall = null;
        Assert.Equal(0, await ids.NextAsync(CancellationToken.None));
    }

    [Fact]
    public async Task The_cluster_id_is_made_once_and_the_owner_is_the_process_that_came_last()
    {
        var first = await ClusterIdentity.TakeAsync(_store, new TestPorts(1).Runtime, 1, null, CancellationToken.None);
        Assert.True(await first.IsStillMineAsync(CancellationToken.None));
        var second = await ClusterIdentity.TakeAsync(_store, new TestPorts(2).Runtime, 1, null, CancellationToken.None);
        Assert.Equal(first.ClusterId, second.ClusterId);
        Assert.Equal(22, first.ClusterId.Length);
        Assert.False(await first.IsStillMineAsync(CancellationToken.None));
        Assert.True(await second.IsStillMineAsync(CancellationToken.None));
    }
}
