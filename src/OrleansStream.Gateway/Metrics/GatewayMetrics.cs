using System.Diagnostics.Metrics;
using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Metrics;

/// <summary>What the gateway counts, on the meter "OrleansStream". Sizes in bytes, times in seconds.</summary>
public sealed class GatewayMetrics : IDisposable
{
    /// <summary>The meter's name, shared by all rooms.</summary>
    public const string MeterName = "OrleansStream";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _bytesIn;
    private readonly Counter<long> _bytesOut;
    private readonly Counter<long> _errors;
    private readonly Histogram<double> _seconds;
    private readonly UpDownCounter<long> _connections;
    private readonly Counter<long> _malformed;
    private readonly KeyValuePair<string, object?>[] _apiTags;

    public GatewayMetrics()
    {
        _bytesIn = _meter.CreateCounter<long>("ostream.gateway.bytes.in", "By", "Bytes of requests received");
        _bytesOut = _meter.CreateCounter<long>("ostream.gateway.bytes.out", "By", "Bytes of responses sent");
        _errors = _meter.CreateCounter<long>("ostream.gateway.errors", null, "Error codes answered");
        _seconds = _meter.CreateHistogram<double>("ostream.gateway.request.duration", "s", "Time from a request's last byte to its response's last byte");
        _connections = _meter.CreateUpDownCounter<long>("ostream.gateway.connections", null, "Open client connections");
        _malformed = _meter.CreateCounter<long>("ostream.gateway.malformed", null, "Connections closed because of a request that cannot be read");
        _apiTags = [.. Enumerable.Range(0, 128).Select(key => new KeyValuePair<string, object?>("api", ((ApiKey)key).ToString()))];
    }

    public void ConnectionOpened() => _connections.Add(1);

    public void ConnectionClosed() => _connections.Add(-1);

    public void Malformed() => _malformed.Add(1);

    public void RequestRead(ApiKey api, long bytes) => _bytesIn.Add(bytes, _apiTags[(int)api]);

    public void ResponseWritten(ApiKey api, long bytes, TimeSpan took)
    {
        _bytesOut.Add(bytes, _apiTags[(int)api]);
        _seconds.Record(took.TotalSeconds, _apiTags[(int)api]);
    }

    public void Error(ApiKey api, ErrorCode error) => _errors.Add(1, _apiTags[(int)api], new KeyValuePair<string, object?>("error", error.ToString()));

    public void Dispose() => _meter.Dispose();
}
