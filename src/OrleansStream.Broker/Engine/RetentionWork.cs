using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Topics;
using OrleansStream.Storage;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// Every log.retention.check.interval.ms, what is too old or too much goes, of what is led here. A partition that nobody uses has old records too: it is opened
/// for this, and looked at the next time.
/// </summary>
internal sealed class RetentionWork(EngineParts parts, PartitionSlots slots, Func<ClusterPicture> cluster, Func<long> intervalMs, CancellationToken stopping)
{
    private readonly ILogger _log = parts.Ports.Logs.CreateLogger<RetentionWork>();

    public async Task RunAsync()
    {
        while (true)
        {
            try
            {
                await Task.Delay(TimeSpan.FromMilliseconds(intervalMs()), parts.Ports.Time, stopping);
                foreach (var topic in cluster().TopicsByName.Values.OrderBy(t => t.Name, StringComparer.Ordinal))
                {
                    if (!topic.Config.CleanupDelete || (topic.Config.RetentionMs < 0 && topic.Config.RetentionBytes < 0))
                        continue;
                    for (var i = 0; i < topic.Partitions.Count; i++)
                    {
                        if (slots.Find(new PartitionId(topic.Id, i)) is { } partition)
                            await partition.ApplyRetentionAsync(stopping);
                    }
                    slots.OpenAll(topic.Name, topic.Id, topic.Partitions.Count);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (IOException e)
            {
                _log.LogWarning("Retention did not finish and goes on at the next check: {Reason}", e.Message);
            }
        }
    }
}
