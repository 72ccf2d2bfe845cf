using System.Globalization;
using System.Text.RegularExpressions;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Configuration;

/// <summary>What values a configuration takes. Read from Kafka's own notation; refuses with Kafka's own sentences.</summary>
public abstract partial class ConfigRule
{
    public abstract void Check(string name, ConfigValue value);

    /// <summary>
    /// Reads [1,...], [1,...,9], [1,...,9] or -1, [a, b], (case insensitive) [a, b], non-empty string, non-null string, non-empty list, throttled replicas.
    /// </summary>
    public static ConfigRule? Read(ConfigType type, string notation)
    {
        switch (notation)
        {
            case "":
            case "non-null string":
            case "non-empty list":
                return type == ConfigType.List ? new ItemsRule(null) : null;
            case "non-empty string":
                return new NonEmptyRule();
            case "throttled replicas":
                return new ThrottledReplicasRule();
        }
        var insensitive = notation.StartsWith("(case insensitive) ", StringComparison.Ordinal);
        if (insensitive)
            notation = notation[notation.IndexOf('[')..];
        if (RangeNotation().Match(notation) is { Success: true } range)
        {
            double? Bound(string group) => range.Groups[group].Success ? double.Parse(range.Groups[group].Value, CultureInfo.InvariantCulture) : null;
            return new RangeRule(Bound("min")!.Value, Bound("max"), Bound("or"));
        }
        if (notation is not ['[', .., ']'])
            throw new FormatException($"unknown rule '{notation}'");
        string[] allowed = notation[1..^1].Split(", ");
        return type == ConfigType.List ? new ItemsRule(allowed) : new OneOfRule(allowed, insensitive);
    }

    [GeneratedRegex(@"^\[(?<min>-?[\d.]+?),\.\.\.(,(?<max>-?[\d.]+))?\]( or (?<or>-?\d+))?$")]
    private static partial Regex RangeNotation();

    [GeneratedRegex(@"^\d+:\d+$")]
    private static partial Regex PartitionAndBroker();

    private sealed class RangeRule(double min, double? max, double? orEqual) : ConfigRule
    {
        public override void Check(string name, ConfigValue value)
        {
            if (value.Number == orEqual)
                return;
            if (orEqual is not null && (value.Number < min || value.Number > max))
                throw ConfigException.Invalid(name, value.Text, $"Value must be between {Show(min)} and {Show(max!.Value)} or equal to {Show(orEqual.Value)}");
            if (value.Number < min)
                throw ConfigException.Invalid(name, value.Text, $"Value must be at least {Show(min)}");
            if (value.Number > max)
                throw ConfigException.Invalid(name, value.Text, $"Value must be no more than {Show(max.Value)}");
        }

        private static string Show(double bound) => bound.ToString("R", CultureInfo.InvariantCulture);
    }

    private sealed class OneOfRule(string[] allowed, bool insensitive) : ConfigRule
    {
        public override void Check(string name, ConfigValue value)
        {
            if (!allowed.Contains(value.Text, insensitive ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal))
                throw ConfigException.Invalid(name, value.Text, $"String must be one of{(insensitive ? " (case insensitive)" : "")}: {string.Join(", ", allowed)}");
        }
    }

    private sealed class ItemsRule(string[]? allowed) : ConfigRule
    {
        public override void Check(string name, ConfigValue value)
        {
            foreach (var item in value.Items)
            {
                if (item.Length == 0)
                    throw new ConfigException($"Configuration '{name}' values must not be empty.");
                if (allowed is not null && !allowed.Contains(item))
                    throw ConfigException.Invalid(name, item, $"String must be one of: {string.Join(", ", allowed)}");
            }
        }
    }

    private sealed class NonEmptyRule : ConfigRule
    {
        public override void Check(string name, ConfigValue value)
        {
            if (value.Text.Length == 0)
                throw ConfigException.Invalid(name, value.Text, "String must be non-empty");
        }
    }

    private sealed class ThrottledReplicasRule : ConfigRule
    {
        public override void Check(string name, ConfigValue value)
        {
            if (value.Items is ["*"] || value.Items.All(PartitionAndBroker().IsMatch))
                return;
            throw ConfigException.Invalid(name, $"[{string.Join(", ", value.Items)}]",
                $"{name} must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...");
        }
    }
}
