using System.Diagnostics;
using System.Text.Json;
using OrleansStream.EndToEnd.Brokers;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Clients;

/// <summary>A record as it goes to and comes from a client program.</summary>
internal sealed record ClientRecord(int? Partition, byte[]? Key, byte[]? Value, IReadOnlyList<(string Name, byte[]? Value)> Headers, long? Timestamp, long? Offset = null);

/// <summary>Starts client programs and speaks their contract (tests/clients/python/contract.py).</summary>
internal static class ClientRun
{
    /// <summary>Produces; answers partition and offset of each record, in order, or nothing where the client does not learn them.</summary>
    public static async Task<List<(int Partition, long Offset)>> ProduceAsync(
        this KafkaClient client, BrokerProcess broker, string topic, string codec, IReadOnlyList<ClientRecord> records)
    {
        var lines = await RunAsync(client, "produce", broker, new
        {
            topic,
            codec,
            records = records.Select(r => new { partition = r.Partition, key = r.Key, value = r.Value, headers = Headers(r), timestamp = r.Timestamp }),
        });
        return lines.Select(l => (l.GetProperty("partition").GetInt32(), l.GetProperty("offset").GetInt64())).ToList();
    }

    /// <summary>Produces many records that the client makes up; answers the SHA-256 over the values of each partition.</summary>
    public static async Task<Dictionary<string, string>> ProduceBulkAsync(
        this KafkaClient client, BrokerProcess broker, string topic, string codec, int count, int size, int partitions) =>
        Digests(await RunAsync(client, "produce", broker, new { topic, codec, bulk = new { count, size, partitions } }));

    public static async Task<Dictionary<string, string>> ConsumeBulkAsync(
        this KafkaClient client, BrokerProcess broker, string topic, int count, int partitions) =>
        Digests(await RunAsync(client, "consume", broker,
            new { topic, partitions = Enumerable.Range(0, partitions), from = "beginning", count, bulk = true, ends = await EndsAsync(client, broker, topic, Enumerable.Range(0, partitions)) }));

    /// <summary>Reads as a member of a group, from where it has committed or else from the beginning; commits and leaves.</summary>
    /// <param name="protocol">classic or consumer.</param>
    public static async Task<List<ClientRecord>> ConsumeInGroupAsync(this KafkaClient client, BrokerProcess broker, string topic, string group, string protocol, int count) =>
        Records(await RunAsync(client, "consume", broker, new { topic, group, protocol, count }));

    /// <param name="from">beginning, end, offset or timestamp.</param>
    /// <param name="ready">Called when the client knows where it starts.</param>
    public static async Task<List<ClientRecord>> ConsumeAsync(
        this KafkaClient client, BrokerProcess broker, string topic, IEnumerable<int> partitions, int count, string from = "beginning", long at = 0, Func<Task>? ready = null)
    {
        return Records(await RunAsync(client, "consume", broker, new { topic, partitions, from, at, count, ends = await EndsAsync(client, broker, topic, partitions) }, ready));
    }

    private static List<ClientRecord> Records(List<JsonElement> lines) => lines.Where(l => l.TryGetProperty("offset", out _)).Select(l => new ClientRecord(
        l.GetProperty("partition").GetInt32(), Bytes(l.GetProperty("key")), Bytes(l.GetProperty("value")),
        l.GetProperty("headers").EnumerateArray().Select(h => (h[0].GetString()!, Bytes(h[1]))).ToList(),
        l.GetProperty("timestamp").GetInt64(), l.GetProperty("offset").GetInt64())).ToList();

    /// <summary>Where partitions end, for a client that cannot find out without a process of its own; else null.</summary>
    private static async Task<Dictionary<int, long>?> EndsAsync(KafkaClient client, BrokerProcess broker, string topic, IEnumerable<int> partitions)
    {
        if (!client.SlowStart) return null;
        await using var connection = await broker.ConnectAsync();
        var ends = new Dictionary<int, long>();
        foreach (var partition in partitions) ends[partition] = (await connection.ListOffsetAsync(topic, partition, -1)).Offset;
        return ends;
    }

    private static async Task<List<JsonElement>> RunAsync(KafkaClient client, string command, BrokerProcess broker, object spec, Func<Task>? ready = null)
    {
        client.Needed();
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(file, JsonSerializer.SerializeToUtf8Bytes(spec));
            var info = new ProcessStartInfo(client.Command[0]) { RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (var argument in (string[])[.. client.Command[1..], command, broker.Bootstrap, file]) info.ArgumentList.Add(argument);
            info.Environment["OSTREAM_CLIENTS"] = Repository.Cache;
            info.Environment["KAFKA_PEERS"] = Repository.Peers ?? "";
            // A gigabyte through a store takes more than the minute that is enough otherwise.
            if (Repository.Full) info.Environment["OSTREAM_PATIENCE_S"] = "600";
            using var process = Process.Start(info)!;
            var complaints = process.StandardError.ReadToEndAsync();
            var lines = new List<JsonElement>();
            while (await process.StandardOutput.ReadLineAsync() is { } line)
            {
                var parsed = JsonSerializer.Deserialize<JsonElement>(line);
                if (parsed.TryGetProperty("ready", out _)) { if (ready is not null) await ready(); }
                else lines.Add(parsed);
            }
            await process.WaitForExitAsync();
            if (process.ExitCode != 0) throw new InvalidOperationException($"{client} {command} ended with {process.ExitCode}: {await complaints}");
            return lines;
        }
        finally { File.Delete(file); }
    }

    private static object[][] Headers(ClientRecord record) => record.Headers.Select(h => new object[] { h.Name, h.Value! }).ToArray();
    private static byte[]? Bytes(JsonElement element) => element.ValueKind == JsonValueKind.Null ? null : element.GetBytesFromBase64();
    private static Dictionary<string, string> Digests(List<JsonElement> lines) =>
        lines.Single(l => l.TryGetProperty("digests", out _)).GetProperty("digests").Deserialize<Dictionary<string, string>>()!;
}
