using System.Collections.Immutable;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Groups;

/// <summary>What coordinators look at outside of their groups; each function answers what is so now.</summary>
/// <param name="OwnConfigs">What the group of this id sets itself (configurations of type GROUP).</param>
internal sealed record GroupEnvironment(
    Func<GroupSettings> Settings, Func<ClusterPicture> Cluster, Func<string, ImmutableDictionary<string, string>> OwnConfigs);
