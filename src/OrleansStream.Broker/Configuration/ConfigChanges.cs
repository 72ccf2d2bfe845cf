using System.Collections.Immutable;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Configuration;

/// <summary>A change that is refused, with Kafka's code and sentence.</summary>
internal sealed class RefusedException(ErrorCode code, string message) : Exception(message)
{
    public AdminError Error => new(code, Message);
}

/// <summary>The operations of IncrementalAlterConfigs (KIP-339), without regard to what the values mean.</summary>
internal static class ConfigChanges
{
    /// <summary>Throws <see cref="RefusedException"/> for what Kafka refuses before it looks at the resource.</summary>
    public static void CheckForm(IReadOnlyList<ConfigChange> changes)
    {
        if (changes.Select(c => c.Name).Distinct(StringComparer.Ordinal).Count() != changes.Count)
            throw new RefusedException(ErrorCode.InvalidRequest, "Error due to duplicate config keys");
        foreach (var change in changes)
        {
            if (!Enum.IsDefined(change.Operation))
                throw new RefusedException(ErrorCode.InvalidRequest, $"Unknown operation type {(sbyte)change.Operation}");
        }
        var nulls = changes.Where(c => c.Operation != ConfigOperation.Delete && c.Value is null).Select(c => c.Name).ToList();
        if (nulls.Count > 0)
            throw new RefusedException(ErrorCode.InvalidRequest, $"Null value not supported for : {string.Join(", ", nulls)}");
    }

    /// <summary>What the changes make of <paramref name="values"/>.</summary>
    /// <param name="find">The definition of a name; null where it is unknown.</param>
    /// <param name="effective">The value that a list has where the resource does not set it.</param>
    public static ImmutableDictionary<string, string> Apply(
        ImmutableDictionary<string, string> values, IReadOnlyList<ConfigChange> changes, Func<string, ConfigDefinition?> find, Func<string, string?> effective)
    {
        foreach (var (name, operation, value) in changes)
        {
            switch (operation)
            {
                case ConfigOperation.Set:
                    values = values.SetItem(name, value!);
                    continue;
                case ConfigOperation.Delete:
                    values = values.Remove(name);
                    continue;
            }
            if (find(name)?.Type != ConfigType.List)
                throw new RefusedException(ErrorCode.InvalidConfig, $"Can't {operation.ToString().ToUpperInvariant()} to key {name} because its type is not LIST.");
            var text = values.GetValueOrDefault(name) ?? effective(name) ?? "";
            List<string> items = text.Length == 0 ? [] : [.. text.Split(',', StringSplitOptions.TrimEntries)];
            foreach (var part in value!.Split(',', StringSplitOptions.TrimEntries))
            {
                if (operation == ConfigOperation.Subtract)
                    items.Remove(part);
                else if (part.Length == 0)
                    throw new RefusedException(ErrorCode.InvalidConfig, $"Configuration '{name}' values must not be empty.");
                else if (!items.Contains(part))
                    items.Add(part);
            }
            values = values.SetItem(name, string.Join(',', items));
        }
        return values;
    }
}
