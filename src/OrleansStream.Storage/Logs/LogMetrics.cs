using System.Diagnostics.Metrics;

namespace OrleansStream.Storage.Logs;

/// <summary>What the logs of a process report through System.Diagnostics.Metrics.</summary>
internal sealed class LogMetrics : IDisposable
{
    public const string MeterName = "OrleansStream.Storage.Logs";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _sealedBytes;
    private readonly Counter<long> _sealedObjects;
    private readonly Counter<long> _sealFailures;

    public LogMetrics(LogHost host)
    {
        _sealedBytes = _meter.CreateCounter<long>("ostream.seal.bytes", "By", "Bytes of sealed objects written.");
        _sealedObjects = _meter.CreateCounter<long>("ostream.seal.objects", null, "Sealed objects written.");
        _sealFailures = _meter.CreateCounter<long>("ostream.seal.failures", null, "Tries to write a sealed object that failed.");
        _meter.CreateObservableGauge("ostream.hot.bytes", () => host.Memory.UsedBytes, "By", "Hot memory in use.");
        _meter.CreateObservableGauge("ostream.hot.limit_bytes", () => host.Memory.LimitBytes, "By", "The memory budget.");
        _meter.CreateObservableGauge("ostream.hot.idle_bytes", () => host.Pool.IdleBytes, "By", "Hot memory that waits to be used again.");
        _meter.CreateObservableGauge("ostream.hot.waiting_producers", () => host.Memory.WaitingCount, null, "Producers that wait for hot memory.");
        _meter.CreateObservableGauge("ostream.partitions.open", () => host.OpenLogs.Count, null, "Partitions that are led here.");
        _meter.CreateObservableCounter("ostream.cache.hits", () => host.CacheCounters.Hits, null, "Reads of sealed data that the cache answered.");
        _meter.CreateObservableCounter("ostream.cache.misses", () => host.CacheCounters.Misses, null, "Reads of sealed data that went to the store.");
        _meter.CreateObservableGauge("ostream.cache.held_bytes", () => host.CacheCounters.HeldBytes, "By", "Sealed data in the cache.");
        _meter.CreateObservableGauge("ostream.journal.pending_bytes", () => host.CurrentJournal?.PendingBytes ?? 0, "By", "Accepted and not yet durable.");
    }

    public void Sealed(long bytes)
    {
        _sealedBytes.Add(bytes);
        _sealedObjects.Add(1);
    }

    public void SealFailed() => _sealFailures.Add(1);

    public void Dispose() => _meter.Dispose();
}
