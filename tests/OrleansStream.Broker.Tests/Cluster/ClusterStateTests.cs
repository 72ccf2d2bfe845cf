using OrleansStream.Broker.Cluster;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Tests.Cluster;

public sealed class ClusterStateTests
{
    private const int Broker = 3;
    private static readonly PartitionId s_partition = new(new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), 5);

    /// <summary>A broker has two calls under way, and repeats what a lost one said: the older may come last.</summary>
    [Fact]
    public void What_a_broker_says_late_of_an_epoch_that_has_ended_is_not_believed()
    {
        var state = new ClusterState(term: 1);
        Assert.True(state.Note(Broker, new PartitionEvent(s_partition, 0, Serves: true)));
        Assert.True(state.Note(Broker, new PartitionEvent(s_partition, 0, Serves: false)));
        Assert.False(state.Note(Broker, new PartitionEvent(s_partition, 0, Serves: true)));
        Assert.Equal(-1, state.Topics[s_partition.TopicId].Serving[s_partition.Index]);

        Assert.True(state.Note(Broker, new PartitionEvent(s_partition, 1, Serves: true)));
        Assert.Equal(Broker, state.Topics[s_partition.TopicId].Serving[s_partition.Index]);
    }

    [Fact]
    public void That_it_ended_may_be_all_that_a_new_controller_hears_at_first()
    {
        var state = new ClusterState(term: 2);
        state.Ensure(s_partition.TopicId, s_partition.Index + 1);
        Assert.False(state.Note(Broker, new PartitionEvent(s_partition, 4, Serves: false)));
        Assert.False(state.Note(Broker, new PartitionEvent(s_partition, 4, Serves: true)));
        Assert.Equal(-1, state.Topics[s_partition.TopicId].Serving[s_partition.Index]);
    }
}
