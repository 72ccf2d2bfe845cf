using System.Globalization;
using System.Text.Json;
using OrleansStream.Protocol.Generator;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>One of Kafka's JSON definitions, told as lines that can be compared with our schema's, told the same way.</summary>
internal static class KafkaDefinition
{
    private static readonly JsonDocumentOptions Options = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    public static JsonElement Load(string file) => JsonDocument.Parse(File.ReadAllText(file), Options).RootElement;

    /// <summary>Every definition of the folder, by message name.</summary>
    public static Dictionary<string, JsonElement> LoadAll(string folder) =>
        Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories).Select(Load).ToDictionary(json => json.GetProperty("name").GetString()!);

    public static List<string> Describe(JsonElement json)
    {
        VersionRange valid = Range(json.GetProperty("validVersions").GetString());
        VersionRange flexible = Range(Text(json, "flexibleVersions") ?? "none").Intersect(valid);
        string key = json.TryGetProperty("apiKey", out JsonElement number) ? number.GetInt32().ToString(CultureInfo.InvariantCulture) : "-1";
        List<string> lines = [Header(json.GetProperty("name").GetString()!, key, valid, flexible)];
        var common = new Dictionary<string, JsonElement>();
        if (json.TryGetProperty("commonStructs", out JsonElement structs))
        {
            foreach (JsonElement item in structs.EnumerateArray())
                common.Add(item.GetProperty("name").GetString()!, item.GetProperty("fields"));
        }
        Fields(lines, json.GetProperty("fields"), common, valid, valid, 1);
        return lines;
    }

    public static List<string> Describe(Message message)
    {
        VersionRange flexible = new VersionRange(message.FlexibleSince, VersionRange.Max).Intersect(message.Versions);
        List<string> lines = [Header(message.Name, message.ApiKey.ToString(CultureInfo.InvariantCulture), message.Versions, flexible)];
        Fields(lines, message.Root, message.Versions, message.Versions, 1);
        return lines;
    }

    private static void Fields(
        List<string> lines, JsonElement fields, Dictionary<string, JsonElement> common, VersionRange valid, VersionRange context, int depth)
    {
        foreach (JsonElement field in fields.EnumerateArray())
        {
            VersionRange versions = Range(Text(field, "versions") ?? Text(field, "taggedVersions")).Intersect(context);
            if (versions.IsEmpty)
                continue;
            string type = field.GetProperty("type").GetString()!;
            string name = field.GetProperty("name").GetString()!;
            VersionRange nullable = Range(Text(field, "nullableVersions") ?? "none").Intersect(versions);
            VersionRange tagged = Range(Text(field, "taggedVersions") ?? "none").Intersect(versions);
            string tag = tagged.IsEmpty ? "" : $"{Show(tagged)}:{field.GetProperty("tag").GetInt32()}";
            bool ignorable = field.TryGetProperty("ignorable", out JsonElement flag) && flag.GetBoolean();
            bool inflexible = Text(field, "flexibleVersions") == "none";
            lines.Add(Line(depth, char.ToUpperInvariant(name[0]) + name[1..], type, versions, nullable, tag, Default(Text(field, "default")), ignorable && !versions.Covers(valid), inflexible));

            if (field.TryGetProperty("fields", out JsonElement nested) || common.TryGetValue(type.Replace("[]", "", StringComparison.Ordinal), out nested))
                Fields(lines, nested, common, valid, versions, depth + 1);
        }
    }

    private static void Fields(List<string> lines, Struct type, VersionRange valid, VersionRange context, int depth)
    {
        foreach (Field field in type.Fields)
        {
            VersionRange versions = field.Versions.Intersect(context);
            string tag = field.IsTagged ? $"{Show(versions)}:{field.Tag}" : "";
            lines.Add(Line(depth, field.Name, (field.IsArray ? "[]" : "") + field.Type, versions, field.NullableVersions.Intersect(versions), tag,
                Default(field.Default?.Trim('"')), field.Ignorable, field.Inflexible));
            if (field.Struct is not null)
                Fields(lines, field.Struct, valid, versions, depth + 1);
        }
    }

    private static string Header(string name, string key, VersionRange valid, VersionRange flexible) =>
        $"{name} key {key} versions {Show(valid)} flexible {Show(flexible)}";

    private static string Line(
        int depth, string name, string type, VersionRange versions, VersionRange nullable, string tag, string standard, bool ignorable, bool inflexible) =>
        $"{new string(' ', 2 * depth)}{name} {type} versions {Show(versions)} nullable {Show(nullable)} tag {tag} default {standard} ignorable {ignorable} inflexible {inflexible}";

    private static string Show(VersionRange range) => range.IsEmpty ? "none" : $"{range.Low}-{range.High}";

    /// <summary>One spelling of each value: Kafka writes numbers as text, as numbers, and in hexadecimal, and says some defaults that go without saying.</summary>
    private static string Default(string? text)
    {
        if (text is null or "" or "false" or "False")
            return "0";
        if (text.StartsWith("0x", StringComparison.Ordinal))
            return long.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture);
        return text is "True" ? "true" : text;
    }

    /// <summary>Kafka's generator takes a null of JSON (unlike the text "null") for nothing said.</summary>
    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? (value.ValueKind == JsonValueKind.String ? value.GetString() : value.ToString()) : null;

    private static VersionRange Range(string? text) =>
        text is null or "none" ? VersionRange.None : new SchemaLine(text, 0, null).TakeRange("a version range");
}
