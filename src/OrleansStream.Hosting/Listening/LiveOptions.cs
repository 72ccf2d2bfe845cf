using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Gateway;

namespace OrleansStream.Hosting.Listening;

/// <summary>The gateway's options, made anew when a setting has changed while the broker runs.</summary>
internal sealed class LiveOptions(BrokerEngine engine, string place)
{
    private Made? _last;

    private sealed record Made(BrokerSettings From, GatewayOptions Options);

    public GatewayOptions Current()
    {
        BrokerSettings settings = engine.Settings;
        Made? last = Volatile.Read(ref _last);
        if (last is not null && ReferenceEquals(last.From, settings))
            return last.Options;
        last = new Made(settings, From(settings));
        Volatile.Write(ref _last, last);
        return last.Options;
    }

    private GatewayOptions From(BrokerSettings settings) => new()
    {
        MaxRequestBytes = settings.SocketRequestMaxBytes,
        MaxReceivingBytes = settings.QueuedMaxRequestBytes > 0 ? settings.QueuedMaxRequestBytes : settings.MemoryBudgetBytes / 4,
        MaxFetchBytes = settings.FetchMaxBytes,
        FetchSessionSlots = settings.FetchSessionCacheSlots,
        AutoCreateTopics = settings.AutoCreateTopics,
        MaxDescribedPartitions = settings.MaxRequestPartitionSizeLimit,
        LogDirectory = place,
        MaxIdleMs = settings.ConnectionsMaxIdleMs,
        MaxConnections = settings.MaxConnections,
        MaxConnectionsPerIp = settings.MaxConnectionsPerIp,
        MaxConnectionsPerIpOverrides = settings.MaxConnectionsPerIpOverrides,
    };
}
