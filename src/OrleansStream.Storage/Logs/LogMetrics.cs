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
        _sealedBytes = _meter.CreateCounter<long>("orleansstream.seal.bytes", "By", "Bytes of sealed objects written.");
        _sealedObjects = _meter.CreateCounter<long>("orleansstream.seal.objects", null, "Sealed objects written.");
        _sealFailures = _meter.CreateCounter<long>("orleansstream.seal.failures", null, "Tries to write a sealed object that failed.");
        _meter.CreateObservableGauge("orleansstream.hot.bytes", () => host.Memory.UsedBytes, "By", "Hot memory in use.");
        _meter.CreateObservableGauge("orleansstream.hot.limit_bytes", () => host.Memory.LimitBytes, "By", "The memory budget.");
        _meter.CreateObservableGauge("orleansstream.hot.idle_bytes", () => host.Pool.IdleBytes, "By", "Hot memory that waits to be used again.");
        _meter.CreateObservableGauge("orleansstream.hot.waiting_producers", () => host.Memory.WaitingCount, null, "Producers that wait for hot memory.");
        _meter.CreateObservableGauge("orleansstream.partitions.open", () => host.OpenLogs.Count, null, "Partitions that are led here.");
        _meter.CreateObservableGauge("orleansstream.journal.pending_bytes", () => host.CurrentJournal?.PendingBytes ?? 0, "By", "Accepted and not yet durable.");
    }

    public void Sealed(long bytes)
    {
        _sealedBytes.Add(bytes);
        _sealedObjects.Add(1);
    }

    public void SealFailed() => _sealFailures.Add(1);

    public void Dispose() => _meter.Dispose();
}
