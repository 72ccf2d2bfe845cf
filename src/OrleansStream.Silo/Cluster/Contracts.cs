using Orleans.Runtime;
using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Topics;
using OrleansStream.Grains;

namespace OrleansStream.Silo.Cluster;

/// <summary>What the controller and its brokers tell each other, from Broker's words into contracts and back.</summary>
internal static class Contracts
{
    public static BrokerInfo ToInfo(this BrokerPicture broker, SiloAddress silo) =>
        new(broker.NodeId, broker.Rack, [.. broker.Listeners.Select(static l => new BrokerListener(l.Key, l.Value.Host, l.Value.Port))], silo);

    public static BrokerPicture ToPicture(this BrokerInfo broker) =>
        new(broker.NodeId, broker.Rack, broker.Listeners.ToDictionary(static l => l.Name, static l => new AdvertisedAddress(l.Host, l.Port), StringComparer.Ordinal));

    public static ClusterMember ToMember(this BrokerInfo broker) => new(broker.ToPicture(), broker.Silo.ToParsableString());

    public static BrokerNews ToContract(this ClusterNews news) => new(
        null, news.Version, news.ControllerId, news.Whole,
        [.. news.Members.Select(static m => m.Picture.ToInfo(SiloAddress.FromParsableString(m.Address)))],
        [.. news.Topics.Select(static t => new TopicLeaders(t.Key, [.. t.Value.Select(static p => p.LeaderId)], [.. t.Value.Select(static p => p.LeaderEpoch)]))],
        [.. news.Changed], news.ConfigsChanged);

    public static BrokerNews Refused(string why) => new(why, 0, -1, false, [], [], [], false);
}
