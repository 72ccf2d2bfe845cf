namespace OrleansStream.Protocol.Generator;

/// <summary>How a field looks in C#.</summary>
internal static class Shape
{
    /// <summary>The property's type, with its question mark.</summary>
    public static string Type(Field field)
    {
        string type = Element(field);
        if (field.IsArray)
            type = IsList(field) ? $"List<{type}>" : $"{type}[]";
        return field.IsNullable ? type + "?" : type;
    }

    /// <summary>The type of the field, or of an array's elements.</summary>
    public static string Element(Field field) => field.Struct?.ClassName ?? Primitives.CSharp(field.Type);

    public static bool IsList(Field field) => field.IsArray && !Primitives.IsFixedArray(field.Type);

    /// <summary>Whether the property makes its value when first asked for.</summary>
    public static bool IsLazy(Field field) => !field.DefaultsToNull && (IsList(field) || (field.Struct is not null && !field.IsArray));

    public static string Backing(Field field) => "_" + char.ToLowerInvariant(field.Name[0]) + field.Name.Substring(1);

    /// <summary>The property's initial value; empty where C#'s own default is right.</summary>
    public static string Initial(Field field)
    {
        if (field.DefaultsToNull)
            return "";
        if (field.IsArray || field.Type == "bytes")
            return "[]";
        if (field.Type == "string")
            return field.Default ?? "\"\"";
        return field.Default is null or "0" or "false" ? "" : field.Default;
    }

    /// <summary>The fewest bytes that one element of an array takes on the wire, in any version of the message.</summary>
    public static int LeastElementBytes(Message message, Field field)
    {
        if (field.Struct is null)
            return Primitives.LeastBytes(field.Type);
        return Math.Max(1, LeastBytes(message, field.Struct));
    }

    private static int LeastBytes(Message message, Struct type)
    {
        int least = message.FlexibleSince <= type.Versions.Low ? 1 : 0;
        foreach (Field field in type.Fields)
        {
            if (field.IsTagged || !field.Versions.Covers(type.Versions))
                continue;
            if (field.IsArray)
                least += 1;
            else if (field.Struct is not null)
                least += field.IsNullable ? 1 : LeastBytes(message, field.Struct);
            else
                least += Primitives.LeastBytes(field.Type);
        }
        return least;
    }

    /// <summary>The C# condition for a version to be in the range, given that it is in <paramref name="context"/>: "true" and "false" where that is certain.</summary>
    public static string Condition(VersionRange range, VersionRange context)
    {
        if (range.Covers(context))
            return "true";
        VersionRange both = range.Intersect(context);
        if (both.IsEmpty)
            return "false";
        string low = both.Low > context.Low ? $"version >= {both.Low}" : "";
        string high = both.High < context.High ? $"version <= {both.High}" : "";
        return low.Length > 0 && high.Length > 0 ? $"{low} && {high}" : low + high;
    }

    /// <summary>The versions in which the struct has tagged fields.</summary>
    public static VersionRange FlexibleVersions(Message message, Struct type) =>
        type.Versions.Intersect(new VersionRange(message.FlexibleSince, VersionRange.Max));

    /// <summary>What says in a codec whether lengths are compact: a literal, or the local variable "flexible".</summary>
    public static string Flexible(Message message, Struct type)
    {
        string condition = Condition(new VersionRange(message.FlexibleSince, VersionRange.Max), type.Versions);
        return condition is "true" or "false" ? condition : "flexible";
    }
}
