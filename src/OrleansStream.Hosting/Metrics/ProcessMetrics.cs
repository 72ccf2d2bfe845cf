using System.Diagnostics.Metrics;

namespace OrleansStream.Hosting.Metrics;

/// <summary>The process itself: memory, processor time, the collector's heap.</summary>
internal sealed class ProcessMetrics : IDisposable
{
    private readonly Meter _meter = new("OrleansStream.Process");

    public ProcessMetrics()
    {
        _meter.CreateObservableGauge("process.resident_memory", static () => Environment.WorkingSet, "By", "Resident memory");
        _meter.CreateObservableCounter("process.cpu", static () => Environment.CpuUsage.TotalTime.TotalSeconds, "s", "Processor time used");
        _meter.CreateObservableGauge("dotnet.heap", static () => GC.GetTotalMemory(false), "By", "Heap of the garbage collector");
        _meter.CreateObservableCounter("dotnet.collections", static () => (long)GC.CollectionCount(0), null, "Garbage collections");
        _meter.CreateObservableCounter("dotnet.pause", static () => GC.GetTotalPauseDuration().TotalSeconds, "s", "Time in which the collector paused the process");
    }

    public void Dispose() => _meter.Dispose();
}
