using System.Text.Json;
using OrleansStream.Protocol.Generator;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>Our schemas say, field by field, what Kafka's own definitions say.</summary>
public class SchemaAgainstKafkaTests
{
    private const string Absent = "KAFKA_MESSAGES not found: the schemas were not compared with Kafka's definitions";

    private static readonly Dictionary<string, JsonElement> Kafka =
        Schemas.KafkaMessages is { } folder ? KafkaDefinition.LoadAll(folder) : [];

    public static TheoryData<string> Names { get; } = [.. Schemas.Messages.Keys];

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void A_schema_has_the_fields_of_Kafkas_definition(string name)
    {
        Skip.If(Schemas.KafkaMessages is null, Absent);
        Assert.Equal(KafkaDefinition.Describe(Kafka[name]), KafkaDefinition.Describe(Schemas.Messages[name]));
    }

    [SkippableFact]
    public void Every_request_that_a_broker_answers_has_a_schema()
    {
        Skip.If(Schemas.KafkaMessages is null, Absent);
        var brokers = Kafka.Values
            .Where(json => json.TryGetProperty("listeners", out JsonElement listeners) && listeners.EnumerateArray().Any(l => l.GetString() == "broker"))
            .Select(json => json.GetProperty("name").GetString()!)
            .Order(StringComparer.Ordinal).ToList();
        var ours = Schemas.Messages.Values.Where(m => m.Kind == Generator.MessageKind.Request).Select(m => m.Name).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(77, brokers.Count);
        Assert.Equal(brokers, ours);
        Assert.All(ours, name => Assert.Contains(name.Replace("Request", "Response", StringComparison.Ordinal), Schemas.Messages.Keys));
    }

    [SkippableFact]
    public void Every_api_key_has_Kafkas_name()
    {
        Skip.If(Schemas.KafkaMessages is null, Absent);
        var requests = Kafka.Values.Where(json => json.GetProperty("type").GetString() == "request")
            .ToDictionary(json => json.GetProperty("apiKey").GetInt32(), json => json.GetProperty("name").GetString());
        Assert.Equal(93, requests.Count);
        Assert.Equal(requests.OrderBy(r => r.Key).Select(r => r.Value), Enum.GetValues<ApiKey>().Select(key => $"{key}Request"));
        Assert.All(Enum.GetValues<ApiKey>(), key => Assert.Equal($"{key}Request", requests[(int)key]));
    }
}
