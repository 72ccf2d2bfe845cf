using System.Diagnostics.Metrics;
using OrleansStream.Hosting.Metrics;

namespace OrleansStream.Hosting.Tests;

public sealed class PrometheusTextTests
{
    [Fact]
    public void Counters_gauges_and_histograms_are_written_as_Prometheus_reads_them()
    {
        using var collector = new MetricsCollector();
        using var meter = new Meter("OrleansStream.Test");
        using var other = new Meter("Somebody.Else");
        Counter<long> counter = meter.CreateCounter<long>("test.bytes.in", "By", "What came in");
        Histogram<double> histogram = meter.CreateHistogram<double>("test.duration", "s");
        UpDownCounter<long> upDown = meter.CreateUpDownCounter<long>("test.connections");
        meter.CreateObservableGauge("test.level", () => 2.5);
        other.CreateCounter<long>("not.ours").Add(1);

        counter.Add(5, new KeyValuePair<string, object?>("api", "Fetch"));
        counter.Add(2, new KeyValuePair<string, object?>("api", "Fetch"));
        counter.Add(1, new("api", "a\"b"), new("error", "None"));
        histogram.Record(0.0002);
        histogram.Record(3);
        histogram.Record(100);
        upDown.Add(3);
        upDown.Add(-1);

        string[] lines = PrometheusText.Make(collector.Read()).Split(Environment.NewLine);
        Assert.Contains("# HELP test_bytes_in_total What came in", lines);
        Assert.Contains("# TYPE test_bytes_in_total counter", lines);
        Assert.Contains("test_bytes_in_total{api=\"Fetch\"} 7", lines);
        Assert.Contains("test_bytes_in_total{api=\"a\\\"b\",error=\"None\"} 1", lines);
        Assert.Contains("# TYPE test_duration_seconds histogram", lines);
        Assert.Contains("test_duration_seconds_bucket{le=\"0.0001\"} 0", lines);
        Assert.Contains("test_duration_seconds_bucket{le=\"0.00025\"} 1", lines);
        Assert.Contains("test_duration_seconds_bucket{le=\"10\"} 2", lines);
        Assert.Contains("test_duration_seconds_bucket{le=\"+Inf\"} 3", lines);
        Assert.Contains("test_duration_seconds_count 3", lines);
        Assert.Contains("# TYPE test_connections gauge", lines);
        Assert.Contains("test_connections 2", lines);
        Assert.Contains("test_level 2.5", lines);
        Assert.DoesNotContain(lines, l => l.StartsWith("not_ours", StringComparison.Ordinal));
    }
}
