using System.Text;

namespace OrleansStream.EndToEnd.Clients;

/// <summary>One record of each kind, as far as a client can write it. Keys are unique, but for the one that is null.</summary>
internal static class Samples
{
    // Without the control characters, which end a line for a client that prints lines.
    private static readonly byte[] AllBytes = [.. Enumerable.Range(32, 224).Select(i => (byte)i)];

    public static List<ClientRecord> For(KafkaClient client)
    {
        var records = new List<ClientRecord>();
        void Add(byte[]? key, byte[]? value, params (string, byte[]?)[] headers) => records.Add(new ClientRecord(
            client.ChoosesPartition ? records.Count % 3 : null, key, value, headers,
            client.SetsTimestamp && records.Count % 2 == 0 ? 1_600_000_000_000 + records.Count * 1234 : null));

        Add(Text("plain"), Text("a value"));
        Add(null, Text("no key"));
        Add(Text("no value"), null);
        Add(Text("empty value"), []);
        Add(Text("headers"), Text("with headers"), ("first", Text("1")), ("second", Text("two")), ("empty", []));
        if (client.RepeatsHeader) Add(Text("twice"), Text("one header twice"), ("h", Text("1")), ("h", Text("2")));
        if (client.NullHeader) Add(Text("null header"), Text("a header without a value"), ("none", null));
        Add(Text("schlüssel"), Text("grüße, 世界, 🦉"), ("kopf", Text("zeile-ü")));
        Add(Text("long"), Text(string.Concat(Enumerable.Repeat("the same again, ", 4000))));
        if (client.EmptyKey) Add([], Text("empty key"));
        if (client.Binary)
        {
            Add(Text("binary"), AllBytes, ("binary", AllBytes));
            Add(AllBytes, Text("binary key"));
        }
        for (var i = 0; i < 10; i++) Add(Text($"more-{i}"), Text($"value {i}"));
        return records;
    }

    public static bool IsText(ClientRecord record) => !Same(record.Key) && !Same(record.Value);

    private static bool Same(byte[]? bytes) => bytes is not null && bytes.AsSpan().SequenceEqual(AllBytes);
    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);
}
