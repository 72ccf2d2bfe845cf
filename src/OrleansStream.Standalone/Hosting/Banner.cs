using System.Text;
using OrleansStream.Broker.Configuration;

namespace OrleansStream.Standalone.Hosting;

/// <summary>What the process says of itself when it serves.</summary>
internal static class Banner
{
    public static string Version { get; } = typeof(Banner).Assembly.GetName().Version is { } v ? $"{v.Major}.{v.Minor}.{v.Build}" : "?";

    public static string Make(
        BrokerSettings settings, IReadOnlyList<BoundListener> kafka, BoundListener? http, string dataPlace, string clusterId, TimeSpan took)
    {
        var text = new StringBuilder();
        text.AppendLine($"OrleansStream {Version}, engine Standalone, node {settings.NodeId} of cluster {clusterId}");
        text.AppendLine($"  listens on  {string.Join(", ", kafka.Select(l => Describe(settings, l)))}");
        text.AppendLine($"  data in     {dataPlace}");
        text.AppendLine($"  memory      {Size(settings.MemoryBudgetBytes)} for hot data, {Size(settings.ReadCacheBytes)} to read sealed data again");
        text.AppendLine($"  http        {(http is null ? "off" : $"{settings.HttpListener!.TrimEnd('/')} with /healthz /readyz /metrics")}");
        text.Append($"ready after {took.TotalMilliseconds:0} ms");
        return text.ToString();
    }

    private static string Describe(BrokerSettings settings, BoundListener bound)
    {
        ListenerSetting setting = settings.Listeners.First(l => l.Name == bound.Name);
        ListenerSetting? advertised = settings.AdvertisedListeners.FirstOrDefault(l => l.Name == bound.Name);
        string listens = (setting with { Port = bound.Port }).ToString();
        return advertised is null || advertised == setting ? listens : $"{listens} (advertised as {advertised})";
    }

    private static string Size(long bytes) => bytes >= 1 << 30 ? $"{bytes / (double)(1 << 30):0.##} GiB" : $"{bytes / (double)(1 << 20):0.##} MiB";
}
