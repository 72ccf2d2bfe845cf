namespace OrleansStream.Protocol.Generator;

internal enum MessageKind
{
    Request,
    Response,
    Data,
}

/// <summary>Versions from <see cref="Low"/> to <see cref="High"/>, both included; empty where Low is above High.</summary>
internal readonly struct VersionRange(int low, int high)
{
    public const int Max = short.MaxValue;

    public int Low { get; } = low;
    public int High { get; } = high;

    public static VersionRange All { get; } = new(0, Max);
    public static VersionRange None { get; } = new(1, 0);

    public bool IsEmpty => Low > High;

    public VersionRange Intersect(VersionRange other) => new(Math.Max(Low, other.Low), Math.Min(High, other.High));

    public bool Covers(VersionRange other) => other.IsEmpty || (Low <= other.Low && High >= other.High);
}

/// <summary>One schema file.</summary>
internal sealed class Schema
{
    public string Namespace { get; set; } = "";
    public List<Message> Messages { get; } = [];
}

/// <summary>A request, a response, or a data format: a struct with a range of versions.</summary>
internal sealed class Message(MessageKind kind, string name, short apiKey, VersionRange versions, int flexibleSince)
{
    public MessageKind Kind { get; } = kind;
    public string Name { get; } = name;
    public short ApiKey { get; } = apiKey;
    public VersionRange Versions { get; } = versions;

    /// <summary>32767 where no version is flexible.</summary>
    public int FlexibleSince { get; } = flexibleSince;

    public Struct Root { get; set; } = null!;

    /// <summary>All structs of the message but its root, by their name in the schema.</summary>
    public Dictionary<string, Struct> Structs { get; } = new(StringComparer.Ordinal);
}

internal sealed class Struct(string name, VersionRange versions, string? comment)
{
    public string Name { get; } = name;

    /// <summary>The name of the generated class.</summary>
    public string ClassName { get; set; } = name;

    /// <summary>The versions of the message in which the struct can occur.</summary>
    public VersionRange Versions { get; } = versions;

    public string? Comment { get; } = comment;
    public List<Field> Fields { get; } = [];

    /// <summary>Whether some field needs to know if the struct has only default values.</summary>
    public bool NeedsIsDefault { get; set; }
}

internal sealed class Field(string name, string type, bool isArray)
{
    public string Name { get; } = name;

    /// <summary>A primitive's name, or the struct's; of the elements for an array.</summary>
    public string Type { get; } = type;

    public bool IsArray { get; } = isArray;
    public Struct? Struct { get; set; }
    public VersionRange Versions { get; set; } = VersionRange.All;
    public VersionRange NullableVersions { get; set; } = VersionRange.None;
    public string? Default { get; set; }
    public int Tag { get; set; } = -1;
    public bool Ignorable { get; set; }

    /// <summary>Keeps the old length encoding in flexible versions too (the client id of RequestHeader).</summary>
    public bool Inflexible { get; set; }

    public string? Comment { get; set; }

    public bool IsTagged => Tag >= 0;
    public bool IsNullable => !NullableVersions.IsEmpty;
    public bool DefaultsToNull => Default == "null" || (Default is null && IsNullable && !IsArray && Type == "records");
}
