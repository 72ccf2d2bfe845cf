namespace OrleansStream.Protocol.Generator;

/// <summary>What must hold beyond the grammar.</summary>
internal static class SchemaChecks
{
    private static readonly string[] Reserved = ["ApiKey", "LowestVersion", "HighestVersion", "FlexibleSince", "Info", "Read", "Write", "IsDefault"];

    /// <summary>Checks one field.</summary>
    public static void Check(Message message, Struct owner, Field field, SchemaLine line)
    {
        if (owner == message.Root && Reserved.Contains(field.Name))
            throw line.Error($"the generated class has a member {field.Name} of its own");
        if (field.Default is not null && !Primitives.IsValidDefault(field))
            throw line.Error($"{field.Default} is no default for {(field.IsArray ? "[]" : "")}{field.Type}");
        if (field.IsNullable && field.Struct is null && !field.IsArray && !Primitives.CanBeNull(field.Type))
            throw line.Error($"{field.Type} cannot be null");
        if (field.IsArray && field.Struct is null && !Primitives.CanBeElement(field.Type))
            throw line.Error($"arrays of {field.Type} are not supported");
        if (!field.IsTagged)
            return;
        if (field.Versions.Intersect(owner.Versions).Low < message.FlexibleSince)
            throw line.Error("a tagged field in a version that is not flexible");
        if (field.Type == "records")
            throw line.Error("records cannot be tagged");
        if (owner.Fields.Exists(other => other.Tag == field.Tag))
            throw line.Error($"tag {field.Tag} is here twice");
    }

    /// <summary>Checks a whole message, and gives its structs the names of their classes.</summary>
    public static void Check(Message message, SchemaLine line)
    {
        var structs = message.Structs.Values.ToList();
        foreach (Struct declared in structs)
        {
            if (declared.Fields.Count == 0)
                throw line.Error($"the struct {declared.Name} of {message.Name} has no fields");
        }

        // A class cannot have a property of its own name, nor hold both a class and a property of one name.
        var fieldNames = new HashSet<string>(structs.Append(message.Root).SelectMany(s => s.Fields).Select(f => f.Name), StringComparer.Ordinal);
        foreach (Struct declared in structs)
        {
            if (fieldNames.Contains(declared.Name) || Reserved.Contains(declared.Name) || declared.Name == message.Name)
                declared.ClassName = declared.Name + "Data";
        }

        foreach (Struct declared in structs.Append(message.Root))
        {
            foreach (Field field in declared.Fields)
            {
                if (field.Struct is not null && field.IsTagged && HoldsRecords(field.Struct))
                    throw line.Error($"records inside the tagged field {field.Name}");
                if (field.Struct is not null && !field.IsArray && !field.DefaultsToNull)
                    MarkNeedsIsDefault(field.Struct);
            }
        }
    }

    private static bool HoldsRecords(Struct type) =>
        type.Fields.Exists(f => f.Type == "records" || (f.Struct is not null && HoldsRecords(f.Struct)));

    private static void MarkNeedsIsDefault(Struct type)
    {
        if (type.NeedsIsDefault)
            return;
        type.NeedsIsDefault = true;
        foreach (Field field in type.Fields)
        {
            if (field.Struct is not null && !field.IsArray && !field.DefaultsToNull)
                MarkNeedsIsDefault(field.Struct);
        }
    }
}
