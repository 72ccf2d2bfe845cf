using System.Text;
using OrleansStream.Broker.Configuration;
using OrleansStream.Hosting.Listening;

namespace OrleansStream.Hosting;

/// <summary>What the process says of itself when it serves.</summary>
internal sealed class Banner(string engine, BrokerSettings settings, string clusterId)
{
    public static string Version { get; } = typeof(Banner).Assembly.GetName().Version is { } v ? $"{v.Major}.{v.Minor}.{v.Build}" : "?";

    public required IReadOnlyList<BoundListener> Kafka { get; init; }
    public required BoundListener? Http { get; init; }
    public required string DataPlace { get; init; }

    /// <summary>Lines of the engine's own: a word of at most 11 letters, and what it stands for.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Notes { get; init; } = [];

    public string Make(TimeSpan took)
    {
        var text = new StringBuilder();
        text.AppendLine($"OrleansStream {Version}, engine {engine}, node {settings.NodeId} of cluster {clusterId}");
        text.AppendLine($"  listens on  {string.Join(", ", Kafka.Select(Describe))}");
        foreach ((string word, string meaning) in Notes)
            text.AppendLine($"  {word,-11} {meaning}");
        text.AppendLine($"  data in     {DataPlace}");
        text.AppendLine($"  memory      {Size(settings.MemoryBudgetBytes)} for hot data, {Size(settings.ReadCacheBytes)} to read sealed data again");
        text.AppendLine($"  http        {(Http is null ? "off" : $"{settings.HttpListener!.TrimEnd('/')} with /healthz /readyz /metrics")}");
        text.Append($"ready after {took.TotalMilliseconds:0} ms");
        return text.ToString();
    }

    private string Describe(BoundListener bound)
    {
        ListenerSetting setting = settings.Listeners.First(l => l.Name == bound.Name);
        ListenerSetting? advertised = settings.AdvertisedListeners.FirstOrDefault(l => l.Name == bound.Name);
        string listens = (setting with { Port = bound.Port }).ToString();
        return advertised is null || advertised == setting ? listens : $"{listens} (advertised as {advertised})";
    }

    private static string Size(long bytes) => bytes >= 1 << 30 ? $"{bytes / (double)(1 << 30):0.##} GiB" : $"{bytes / (double)(1 << 20):0.##} MiB";
}
