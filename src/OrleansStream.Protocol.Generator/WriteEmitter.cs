namespace OrleansStream.Protocol.Generator;

/// <summary>Writes the Write method of a struct, and its test for default values.</summary>
internal static class WriteEmitter
{
    public static void CheckVersion(Code code, Message message)
    {
        code.Line("if (version is < LowestVersion or > HighestVersion)");
        code.Line($"    UnsupportedVersionException.ThrowVersion(\"{message.Name}\", version);");
    }

    public static void Emit(Code code, Message message, Struct type)
    {
        bool isRoot = type == message.Root;
        if (isRoot)
            code.Line("/// <summary>Writes the message. Throws UnsupportedVersionException where the version cannot carry a value that is set.</summary>");
        code.Open($"{(isRoot ? "public" : "internal")} void Write(KafkaWriter w, short version)");
        if (isRoot)
            CheckVersion(code, message);
        string flexible = Shape.Flexible(message, type);
        if (flexible == "flexible")
            code.Line($"bool flexible = version >= {message.FlexibleSince};");

        foreach (Field field in type.Fields)
        {
            string present = Shape.Condition(field.Versions, type.Versions);
            string refuse = field.Ignorable || present == "true" ? ""
                : $"if ({NonDefault(field)}) UnsupportedVersionException.ThrowField(\"{message.Name}.{field.Name}\", version);";
            if (field.IsTagged || present == "false")
            {
                if (refuse.Length > 0)
                    code.Line(present == "false" ? refuse : $"if (!({present})) {refuse}");
            }
            else if (present == "true")
                Value(code, type, field, flexible);
            else
            {
                code.Open($"if ({present})");
                Value(code, type, field, flexible);
                code.Close();
                if (refuse.Length > 0)
                    code.Line("else " + refuse);
            }
        }
        Tags(code, message, type, flexible);
        code.Close();
    }

    public static void EmitIsDefault(Code code, Struct type)
    {
        code.Line($"internal bool IsDefault => !({string.Join(" || ", type.Fields.Select(f => $"({NonDefault(f)})"))});");
    }

    private static void Tags(Code code, Message message, Struct type, string flexible)
    {
        if (flexible == "false")
            return;
        VersionRange context = Shape.FlexibleVersions(message, type);
        var tagged = type.Fields.Where(f => f.IsTagged && Shape.Condition(f.Versions, context) != "false").OrderBy(f => f.Tag).ToList();
        if (tagged.Count == 0)
        {
            code.Line(flexible == "true" ? "w.WriteUnsignedVarint(0);" : "if (flexible) w.WriteUnsignedVarint(0);");
            return;
        }
        code.Open(flexible == "true" ? "" : "if (flexible)");
        code.Line("uint tags = 0;");
        foreach (Field field in tagged)
            code.Line($"if ({Wanted(context, field)}) tags++;");
        code.Line("w.WriteUnsignedVarint(tags);");
        foreach (Field field in tagged)
        {
            code.Open($"if ({Wanted(context, field)})");
            code.Line($"int mark = w.BeginTagged({field.Tag});");
            Value(code, type, field, "true");
            code.Line("w.EndTagged(mark);");
            code.Close();
        }
        code.Close();
    }

    private static string Wanted(VersionRange context, Field field)
    {
        string present = Shape.Condition(field.Versions, context);
        return present == "true" ? NonDefault(field) : $"{present} && ({NonDefault(field)})";
    }

    /// <summary>The condition for a field to have another value than its default.</summary>
    private static string NonDefault(Field field)
    {
        string name = field.Name;
        if (field.DefaultsToNull)
            return $"{name} is not null";
        if (Shape.IsList(field))
        {
            string back = Shape.Backing(field);
            return field.IsNullable ? $"{back}IsNull || {back} is {{ Count: > 0 }}" : $"{back} is {{ Count: > 0 }}";
        }
        if (field.IsArray || field.Type == "bytes")
            return $"{name} is not {{ Length: 0 }}";
        if (field.Struct is not null)
            return (field.IsNullable ? $"{Shape.Backing(field)}IsNull || " : "") + $"{Shape.Backing(field)} is {{ IsDefault: false }}";
        return field.Type switch
        {
            "string" => $"{name} != {Shape.Initial(field)}",
            "records" => $"!{name}.IsEmpty",
            "bool" => field.Default == "true" ? $"!{name}" : name,
            "uuid" => $"{name} != default",
            _ => $"{name} != {field.Default ?? "0"}",
        };
    }

    private static void Value(Code code, Struct type, Field field, string flexible)
    {
        string name = field.Name;
        string compact = field.Inflexible ? "false" : flexible;
        string mayBeNull = Shape.Condition(field.NullableVersions, field.Versions.Intersect(type.Versions));
        if (field.IsNullable && mayBeNull != "true")
            code.Line($"if ({name} is null{(mayBeNull == "false" ? "" : $" && !({mayBeNull})")}) UnsupportedVersionException.ThrowField(\"{name}\", version);");
        if (Shape.IsList(field))
            List(code, field, compact);
        else if (field.IsArray)
            code.Line($"w.Write{Primitives.Method(field.Type)}Array({compact}, {name});");
        else if (field.Struct is not null)
            Nested(code, field, mayBeNull);
        else if (Primitives.HasLength(field.Type))
            code.Line($"w.Write{(field.IsNullable ? "Nullable" : "")}{Primitives.Method(field.Type)}({compact}, {name});");
        else
            code.Line($"w.Write{Primitives.Method(field.Type)}({name});");
    }

    private static void Nested(Code code, Field field, string mayBeNull)
    {
        string name = field.Name;
        if (mayBeNull == "false")
        {
            code.Line($"{name}{(field.IsNullable ? "!" : "")}.Write(w, version);");
            return;
        }
        code.Line($"{(mayBeNull == "true" ? "" : $"if ({mayBeNull}) ")}w.WriteInt8({name} is null ? (sbyte){(field.IsTagged ? "0" : "-1")} : (sbyte)1);");
        code.Line($"{name}?.Write(w, version);");
    }

    /// <summary>Reads the backing field, so that a list that nobody asked for is not made now.</summary>
    private static void List(Code code, Field field, string compact)
    {
        string source = Shape.IsLazy(field) ? Shape.Backing(field) : field.Name;
        string whenNone = Shape.IsLazy(field) ? (field.IsNullable ? $"({source}IsNull ? -1 : 0)" : "0") : "-1";
        code.Open("");
        code.Line($"int count = {source}?.Count ?? {whenNone};");
        code.Line($"w.WriteArrayLength({compact}, count);");
        code.Line("for (int i = 0; i < count; i++)");
        code.Line(field.Struct is not null ? $"    {source}![i].Write(w, version);" : $"    w.Write{Primitives.Method(field.Type)}({compact}, {source}![i]);");
        code.Close();
    }
}
