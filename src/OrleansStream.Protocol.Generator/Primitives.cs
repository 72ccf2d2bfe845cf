using System.Globalization;

namespace OrleansStream.Protocol.Generator;

/// <summary>The primitive types of the wire: their C# types, the methods that carry them, the fewest bytes they take, and their defaults.</summary>
internal static class Primitives
{
    private static readonly Dictionary<string, Primitive> Table = new(StringComparer.Ordinal)
    {
        ["bool"] = new("bool", "Bool", 1),
        ["int8"] = new("sbyte", "Int8", 1),
        ["int16"] = new("short", "Int16", 2),
        ["uint16"] = new("ushort", "UInt16", 2),
        ["int32"] = new("int", "Int32", 4),
        ["uint32"] = new("uint", "UInt32", 4),
        ["int64"] = new("long", "Int64", 8),
        ["float64"] = new("double", "Float64", 8),
        ["uuid"] = new("System.Guid", "Uuid", 16),
        ["string"] = new("string", "String", 1),
        ["bytes"] = new("byte[]", "Bytes", 1),
        ["records"] = new("System.Buffers.ReadOnlySequence<byte>", "Records", 1),
    };

    public static bool IsPrimitive(string type) => Table.ContainsKey(type);

    public static bool CanBeNull(string type) => type is "string" or "bytes" or "records";

    public static bool CanBeElement(string type) => IsFixedArray(type) || type is "string" or "bytes";

    /// <summary>Types whose arrays are C# arrays; of all others they are lists.</summary>
    public static bool IsFixedArray(string type) => type is "int8" or "int16" or "int32" or "int64" or "uuid";

    public static string CSharp(string type) => Table[type].CSharp;

    /// <summary>The end of the names of the reader's and writer's methods.</summary>
    public static string Method(string type) => Table[type].Method;

    public static int LeastBytes(string type) => Table[type].LeastBytes;

    /// <summary>Whether the value has a length before it, whose form depends on the version.</summary>
    public static bool HasLength(string type) => type is "string" or "bytes" or "records";

    public static bool IsValidDefault(Field field)
    {
        string text = field.Default!;
        if (text == "null")
            return field.IsNullable;
        if (field.IsArray || field.Struct is not null)
            return false;
        return field.Type switch
        {
            "bool" => text is "true" or "false",
            "string" => text.Length >= 2 && text[0] == '"' && text[text.Length - 1] == '"' && !text.Contains('\\'),
            "float64" => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _),
            "int8" => Fits(text, sbyte.MinValue, sbyte.MaxValue),
            "int16" => Fits(text, short.MinValue, short.MaxValue),
            "uint16" => Fits(text, 0, ushort.MaxValue),
            "int32" => Fits(text, int.MinValue, int.MaxValue),
            "uint32" => Fits(text, 0, uint.MaxValue),
            "int64" => Fits(text, long.MinValue, long.MaxValue),
            _ => false,
        };
    }

    private static bool Fits(string text, long low, long high) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= low && value <= high;

    private sealed class Primitive(string csharp, string method, int leastBytes)
    {
        public string CSharp { get; } = csharp;
        public string Method { get; } = method;
        public int LeastBytes { get; } = leastBytes;
    }
}
