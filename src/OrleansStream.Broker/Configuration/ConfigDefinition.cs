using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Configuration;

/// <summary>Whether and where a broker setting can be changed while the broker runs (Kafka's "update mode").</summary>
public enum UpdateMode
{
    ReadOnly,

    /// <summary>For one broker only: resource BROKER with its id.</summary>
    PerBroker,

    /// <summary>For one broker, or for all as the cluster's default: resource BROKER with an empty name.</summary>
    ClusterWide,
}

/// <summary>What a setting of Kafka does in this broker.</summary>
public enum SettingEffect
{
    Acts,

    /// <summary>Accepted; it has no meaning here.</summary>
    None,

    /// <summary>Accepted; it gets its meaning with a feature that is still to come.</summary>
    Later,
}

/// <summary>One configuration by Kafka's name: type, default, rule, and what it does.</summary>
public sealed record ConfigDefinition(
    string Name, ConfigType Type, string? Default, ConfigRule? Rule, string Importance, string Documentation)
{
    /// <summary>Kafka accepts it and shows it in no list.</summary>
    public bool Internal { get; init; }

    /// <summary>Kafka's broker does not start without it.</summary>
    public bool Required { get; init; }

    public UpdateMode Update { get; init; }
    public SettingEffect Effect { get; init; }

    /// <summary>Of a topic config: the broker setting that is its default. Null where the broker has none.</summary>
    public string? BrokerName { get; init; }

    public bool Sensitive => Type == ConfigType.Password;

    /// <summary>Parses and checks a value; throws <see cref="ConfigException"/> with Kafka's sentence.</summary>
    public ConfigValue Parse(string text)
    {
        var value = ConfigValue.Parse(Name, Type, text);
        Rule?.Check(Name, value);
        return value;
    }
}

/// <summary>A value that a configuration does not take; the message is the sentence that Kafka's clients show.</summary>
public sealed class ConfigException : Exception
{
    public ConfigException() { }
    public ConfigException(string message) : base(message) { }
    public ConfigException(string message, Exception inner) : base(message, inner) { }

    internal static ConfigException Invalid(string name, string value, string why) =>
        new($"Invalid value {value} for configuration {name}: {why}");
}
