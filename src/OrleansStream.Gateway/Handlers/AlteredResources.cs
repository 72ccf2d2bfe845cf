using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Handlers;

/// <summary>What both forms of altering configurations refuse alike: a resource that is named twice, and a key that a resource names twice.</summary>
internal static class AlteredResources
{
    /// <summary>What became of each resource, in the order in which they were first named.</summary>
    public static async ValueTask<List<(sbyte Type, string Name, AdminError Error)>> AlterEachAsync<TResource>(
        IEnumerable<TResource> resources, Func<TResource, (sbyte Type, string Name)> key, Func<TResource, ValueTask<AdminError>> alter)
    {
        var altered = new List<(sbyte, string, AdminError)>();
        foreach (IGrouping<(sbyte Type, string Name), TResource> same in resources.GroupBy(key))
        {
            AdminError error = same.Count() > 1
                ? new AdminError(ErrorCode.InvalidRequest, "Each resource must appear at most once.")
                : await alter(same.First());
            altered.Add((same.Key.Type, same.Key.Name, error));
        }
        return altered;
    }

    /// <summary>The refusal of keys that are not all different; null where they are.</summary>
    public static AdminError? RefuseRepeated(IReadOnlyCollection<string> keys) =>
        keys.Distinct(StringComparer.Ordinal).Count() < keys.Count ? new AdminError(ErrorCode.InvalidRequest, "Error due to duplicate config keys") : null;
}
