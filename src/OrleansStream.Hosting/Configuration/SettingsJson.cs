using System.Text.Json;

namespace OrleansStream.Hosting.Configuration;

/// <summary>
/// Reads settings from JSON: <c>{ "OrleansStream": { "memory.budget.bytes": 268435456 } }</c>. Objects may stand for dots, arrays for commas. What else
/// stands in the file belongs to others.
/// </summary>
public static class SettingsJson
{
    private const string Root = "OrleansStream";

    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>Throws <see cref="JsonException"/>.</summary>
    public static List<KeyValuePair<string, string>> Parse(ReadOnlyMemory<byte> json)
    {
        var pairs = new List<KeyValuePair<string, string>>();
        using JsonDocument document = JsonDocument.Parse(json, Lenient);
        if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(Root, out JsonElement ours))
            Add(pairs, "", ours);
        return pairs;
    }

    private static void Add(List<KeyValuePair<string, string>> pairs, string name, JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                    Add(pairs, name.Length == 0 ? property.Name : $"{name}.{property.Name}", property.Value);
                break;
            case JsonValueKind.Array:
                pairs.Add(new(SettingNames.Canonical(name), string.Join(',', element.EnumerateArray().Select(static e => e.ToString()))));
                break;
            case JsonValueKind.True or JsonValueKind.False:
                pairs.Add(new(SettingNames.Canonical(name), element.ValueKind == JsonValueKind.True ? "true" : "false"));
                break;
            case JsonValueKind.Null:
                break;
            default:
                pairs.Add(new(SettingNames.Canonical(name), element.ToString()));
                break;
        }
    }
}
