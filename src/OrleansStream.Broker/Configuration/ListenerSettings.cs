using System.Globalization;
using System.Net;

namespace OrleansStream.Broker.Configuration;

/// <summary>A listener: its name (upper case), its security protocol, and where it listens. An empty host means every interface.</summary>
public sealed record ListenerSetting(string Name, string SecurityProtocol, string Host, int Port)
{
    /// <summary>Only programs on this machine reach it.</summary>
    public bool IsLoopback =>
        Host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(Host, out var address) && IPAddress.IsLoopback(address));

    public override string ToString() => $"{Name}://{(Host.Contains(':') ? $"[{Host}]" : Host)}:{Port}";
}

/// <summary>Reads listeners, advertised.listeners and listener.security.protocol.map.</summary>
internal static class ListenerParser
{
    private static readonly string[] Protocols = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

    public static Dictionary<string, string> ProtocolMap(string text)
    {
        Dictionary<string, string> map = [];
        foreach (var pair in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (pair.Split(':') is not [var name, var protocol])
                throw new ConfigException($"Invalid value {text} for configuration listener.security.protocol.map: '{pair}' is not NAME:PROTOCOL");
            protocol = protocol.ToUpperInvariant();
            if (!Protocols.Contains(protocol))
                throw new ConfigException($"Invalid value {text} for configuration listener.security.protocol.map: no security protocol {protocol}");
            map[name.ToUpperInvariant()] = protocol;
        }
        return map;
    }

    /// <summary>Reads NAME://host:port, separated by commas. Several of one name or of one port are refused.</summary>
    public static List<ListenerSetting> Read(string setting, string text, Dictionary<string, string> protocols, bool uniquePorts)
    {
        List<ListenerSetting> listeners = [];
        foreach (var item in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var listener = ReadOne(setting, item, protocols);
            if (listeners.Any(l => l.Name == listener.Name))
                throw new ConfigException($"Invalid value {text} for configuration {setting}: Each listener must have a different name");
            if (uniquePorts && listener.Port != 0 && listeners.Any(l => l.Port == listener.Port && l.Host == listener.Host))
                throw new ConfigException($"Invalid value {text} for configuration {setting}: Each listener must have a different port");
            listeners.Add(listener);
        }
        return listeners;
    }

    private static ListenerSetting ReadOne(string setting, string item, Dictionary<string, string> protocols)
    {
        ConfigException Refused(string why) => new($"Invalid value {item} for configuration {setting}: {why}");
        if (item.Split("://") is not [var name, var address] || name.Length == 0)
            throw Refused("a listener is written NAME://host:port");
        var colon = address.LastIndexOf(':');
        if (colon < 0 || !int.TryParse(address[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port > 65535)
            throw Refused("a listener is written NAME://host:port");
        var host = address[..colon] is ['[', .. var bare, ']'] ? bare : address[..colon];
        name = name.ToUpperInvariant();
        if (!protocols.TryGetValue(name, out var protocol))
            throw Refused($"No security protocol defined for listener {name}");
        return new ListenerSetting(name, protocol, host, port);
    }
}
