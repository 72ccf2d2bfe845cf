namespace OrleansStream.Protocol.Generator;

/// <summary>Writes the Read method of a struct.</summary>
internal static class ReadEmitter
{
    public static void Emit(Code code, Message message, Struct type)
    {
        bool isRoot = type == message.Root;
        if (isRoot)
            code.Line("/// <summary>Reads the message. Throws ProtocolException where the bytes are not one, UnsupportedVersionException for a version without schema.</summary>");
        code.Open($"{(isRoot ? "public" : "internal")} static {type.ClassName} Read(ref KafkaReader r, short version)");
        if (isRoot)
            WriteEmitter.CheckVersion(code, message);
        string flexible = Shape.Flexible(message, type);
        if (flexible == "flexible")
            code.Line($"bool flexible = version >= {message.FlexibleSince};");
        code.Line($"var m = new {type.ClassName}();");
        foreach (Field field in type.Fields.Where(f => !f.IsTagged))
        {
            string present = Shape.Condition(field.Versions, type.Versions);
            if (present == "false")
                continue;
            if (present == "true")
                Value(code, message, type, field, flexible);
            else
            {
                code.Open($"if ({present})");
                Value(code, message, type, field, flexible);
                code.Close();
            }
        }
        Tags(code, message, type, flexible);
        code.Line("return m;");
        code.Close();
    }

    private static void Tags(Code code, Message message, Struct type, string flexible)
    {
        if (flexible == "false")
            return;
        var tagged = type.Fields.Where(f => f.IsTagged).OrderBy(f => f.Tag).ToList();
        if (tagged.Count == 0)
        {
            code.Line(flexible == "true" ? "r.SkipTaggedFields();" : "if (flexible) r.SkipTaggedFields();");
            return;
        }
        code.Open(flexible == "true" ? "for (uint tags = r.ReadUnsignedVarint(); tags > 0; tags--)" : "for (uint tags = flexible ? r.ReadUnsignedVarint() : 0; tags > 0; tags--)");
        code.Line("uint tag = r.ReadUnsignedVarint();");
        code.Line("int size = r.ReadTaggedSize();");
        code.Line("long end = r.Consumed + size;");
        code.Open("switch (tag)");
        foreach (Field field in tagged)
        {
            string present = Shape.Condition(field.Versions, Shape.FlexibleVersions(message, type));
            if (present == "false")
                continue;
            code.Open(present == "true" ? $"case {field.Tag}:" : $"case {field.Tag} when {present}:");
            Value(code, message, type, field, "true");
            code.Line("break;");
            code.Close();
        }
        code.Line("default: r.Skip(size); break;");
        code.Close();
        code.Line("r.ExpectAt(end);");
        code.Close();
    }

    private static void Value(Code code, Message message, Struct type, Field field, string flexible)
    {
        string compact = field.Inflexible ? "false" : flexible;
        string mayBeNull = Shape.Condition(field.NullableVersions, field.Versions.Intersect(type.Versions));
        if (Shape.IsList(field))
            List(code, message, field, compact, mayBeNull);
        else if (field.IsArray)
            Nullable(code, field, $"r.Read{Primitives.Method(field.Type)}Array({compact})", mayBeNull);
        else if (field.Struct is { } nested)
            code.Line(mayBeNull == "false"
                ? $"m.{field.Name} = {nested.ClassName}.Read(ref r, version);"
                : $"m.{field.Name} = {Guard(mayBeNull)}{(field.IsTagged ? "r.ReadUnsignedVarint() == 0" : "r.ReadInt8() < 0")} ? null : {nested.ClassName}.Read(ref r, version);");
        else if (!Primitives.HasLength(field.Type))
            code.Line($"m.{field.Name} = r.Read{Primitives.Method(field.Type)}();");
        else if (mayBeNull == "false")
            code.Line($"m.{field.Name} = r.Read{Primitives.Method(field.Type)}({compact});");
        else
            Nullable(code, field, $"r.ReadNullable{Primitives.Method(field.Type)}({compact})", mayBeNull);
    }

    /// <summary>
    /// A struct has a byte for null only in the versions where it may be null: -1 is null, and 1 a value, but in a tagged field 0 is null.
    /// </summary>
    private static string Guard(string mayBeNull) => mayBeNull == "true" ? "" : $"({mayBeNull}) && ";

    private static void Nullable(Code code, Field field, string read, string mayBeNull)
    {
        if (mayBeNull == "true")
            code.Line($"m.{field.Name} = {read};");
        else if (mayBeNull == "false")
            code.Line($"m.{field.Name} = {read} ?? throw r.NullValue();");
        else
            code.Line($"m.{field.Name} = {read} ?? ({mayBeNull} ? null : throw r.NullValue());");
    }

    private static void List(Code code, Message message, Field field, string compact, string mayBeNull)
    {
        string element = Shape.Element(field);
        int least = Shape.LeastElementBytes(message, field);
        string target = Shape.IsLazy(field) && !field.IsNullable ? Shape.Backing(field) : field.Name;
        code.Open("");
        code.Line(mayBeNull == "false" ? $"int count = r.ReadListLength({compact}, {least});" : $"int count = r.ReadNullableListLength({compact}, {least});");
        if (mayBeNull is not "true" and not "false")
            code.Line($"if (count < 0 && !({mayBeNull})) throw r.NullValue();");
        string whenNull = mayBeNull == "false" ? "" : "count < 0 ? null : ";
        code.Line($"List<{element}>{(mayBeNull == "false" ? "" : "?")} list = {whenNull}new List<{element}>(KafkaReader.ListCapacity(count));");
        string read = field.Struct is not null ? $"{element}.Read(ref r, version)" : $"r.Read{Primitives.Method(field.Type)}({compact})";
        code.Line("for (int i = 0; i < count; i++)");
        code.Line($"    list{(mayBeNull == "false" ? "" : "!")}.Add({read});");
        code.Line($"m.{target} = list;");
        code.Close();
    }
}
