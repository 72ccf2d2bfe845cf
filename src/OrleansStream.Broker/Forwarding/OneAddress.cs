using System.Collections.Frozen;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Forwarding;

/// <summary>
/// The cluster as clients are shown it behind one address: one broker, which is the controller and leads everything. To show several at the same address would
/// not do: librdkafka takes brokers of one host and port for one, and an admin client asks each broker for what is its own, which no address of theirs tells apart.
/// </summary>
public static class OneAddress
{
    /// <summary>The node id of the one broker. That silos may have it, too, is of no matter: clients are shown none of theirs.</summary>
    public const int NodeId = 0;

    public static ClusterPicture Of(ClusterPicture cluster, IReadOnlyDictionary<string, AdvertisedAddress> listeners)
    {
        var topics = cluster.TopicsByName.Values.Select(Of).ToList();
        return new ClusterPicture(
            cluster.ClusterId, NodeId, [new BrokerPicture(NodeId, null, listeners)],
            topics.ToFrozenDictionary(static t => t.Name, StringComparer.Ordinal), topics.ToFrozenDictionary(static t => t.Id));
    }

    /// <summary>Leader epochs stay what they are. A partition that has no leader now has one soon, and its requests wait for that.</summary>
    public static TopicPicture Of(TopicPicture topic) =>
        topic with { Partitions = [.. topic.Partitions.Select(static p => p with { LeaderId = NodeId })] };
}

/// <summary>Changes of topics by clients that see one broker: whichever silo is asked answers as that one.</summary>
internal sealed class OneAddressTopics(ITopicAdmin inner, int ownNodeId) : ITopicAdmin
{
    public async ValueTask<CreateTopicOutcome> CreateAsync(NewTopic topic, bool validateOnly, CancellationToken cancel) =>
        Shown(await inner.CreateAsync(topic, validateOnly, cancel));

    public async ValueTask<CreateTopicOutcome> AutoCreateAsync(string name, CancellationToken cancel) => Shown(await inner.AutoCreateAsync(name, cancel));

    public ValueTask<AdminError> DeleteAsync(TopicPicture topic, CancellationToken cancel) => inner.DeleteAsync(topic, cancel);

    public ValueTask<AdminError> AddPartitionsAsync(
        string topic, int count, IReadOnlyList<IReadOnlyList<int>>? assignments, bool validateOnly, CancellationToken cancel) =>
        inner.AddPartitionsAsync(topic, count, assignments, validateOnly, cancel);

    public ValueTask<(AdminError Error, IReadOnlyList<ConfigEntry> Entries)> DescribeConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<string>? names, CancellationToken cancel) =>
        inner.DescribeConfigsAsync(type, IsTheBroker(type, name) ? OwnName : name, names, cancel);

    public IReadOnlyList<string> ConfiguredResources(ConfigResourceType type) => inner.ConfiguredResources(type);

    /// <summary>What is set for the one broker is set for all of them.</summary>
    public ValueTask<AdminError> AlterConfigsAsync(
        ConfigResourceType type, string name, IReadOnlyList<ConfigChange> changes, bool validateOnly, CancellationToken cancel) =>
        inner.AlterConfigsAsync(type, !IsTheBroker(type, name) ? name : type == ConfigResourceType.Broker ? "" : OwnName, changes, validateOnly, cancel);

    private string OwnName => ownNodeId.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static bool IsTheBroker(ConfigResourceType type, string name) =>
        type is ConfigResourceType.Broker or ConfigResourceType.BrokerLogger && name == OneAddress.NodeId.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static CreateTopicOutcome Shown(CreateTopicOutcome outcome) => outcome.Topic is { } topic ? outcome with { Topic = OneAddress.Of(topic) } : outcome;
}
