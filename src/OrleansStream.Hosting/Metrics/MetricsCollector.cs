using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace OrleansStream.Hosting.Metrics;

/// <summary>Listens to all meters of this product and keeps what they measure, for /metrics to read.</summary>
internal sealed class MetricsCollector : IDisposable
{
    private const string MeterPrefix = "OrleansStream";

    private static readonly double[] SecondBounds =
        [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private static readonly double[] ByteBounds = [256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20];

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, Collected> _instruments = new();

    public MetricsCollector()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name.StartsWith(MeterPrefix, StringComparison.Ordinal))
                listener.EnableMeasurementEvents(instrument, _instruments.GetOrAdd(instrument, static i => new Collected(i, KindOf(i), BoundsOf(i))));
        };
        _listener.MeasurementsCompleted = (instrument, _) => _instruments.TryRemove(instrument, out Collected? _);
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((Collected)state!).Measured(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => ((Collected)state!).Measured(value, tags));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) => ((Collected)state!).Measured(value, tags));
        _listener.Start();
    }

    public enum Kind
    {
        Counter,
        Gauge,
        Histogram,
    }

    /// <summary>All instruments with what they have measured, after asking the observable ones.</summary>
    public IReadOnlyList<Collected> Read()
    {
        _listener.RecordObservableInstruments();
        return [.. _instruments.Values.OrderBy(static c => c.Instrument.Name, StringComparer.Ordinal)];
    }

    public void Dispose() => _listener.Dispose();

    private static Kind KindOf(Instrument instrument)
    {
        Type type = instrument.GetType().GetGenericTypeDefinition();
        return type == typeof(Histogram<>) ? Kind.Histogram
            : type == typeof(Counter<>) || type == typeof(ObservableCounter<>) ? Kind.Counter
            : Kind.Gauge;
    }

    private static double[]? BoundsOf(Instrument instrument) =>
        KindOf(instrument) != Kind.Histogram ? null : instrument.Unit == "By" ? ByteBounds : SecondBounds;

    /// <summary>One instrument and its series.</summary>
    internal sealed class Collected(Instrument instrument, Kind kind, double[]? bounds)
    {
        // A metric with more series than this is a mistake; it must not eat the memory.
        private const int MaxSeries = 2000;

        private readonly ConcurrentDictionary<Tags, Series> _series = new();

        public Instrument Instrument { get; } = instrument;
        public Kind Kind { get; } = kind;
        public double[]? Bounds { get; } = bounds;
        public IEnumerable<KeyValuePair<Tags, Series>> Series => _series;

        public void Measured(double value, ReadOnlySpan<KeyValuePair<string, object?>> measuredTags)
        {
            Tags tags = Tags.From(measuredTags);
            if (!_series.TryGetValue(tags, out Series? series))
            {
                if (_series.Count >= MaxSeries)
                    return;
                series = _series.GetOrAdd(tags, _ => new Series(Bounds));
            }
            if (Kind == Kind.Histogram)
                series.Record(value);
            else if (Instrument.IsObservable)
                series.Set(value);
            else if (Instrument.GetType().GetGenericTypeDefinition() == typeof(Gauge<>))
                series.Set(value);
            else
                series.Add(value);
        }
    }
}
