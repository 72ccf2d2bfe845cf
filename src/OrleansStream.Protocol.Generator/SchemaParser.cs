namespace OrleansStream.Protocol.Generator;

/// <summary>
/// Reads our schema text. It is made of lines; nesting is two spaces; '#' starts a comment line, which becomes the summary of what follows it.
/// <code>
/// namespace OrleansStream.Protocol.Messages
///
/// request Produce 0 versions 3-13 flexible 9+
///   TransactionalId string? = null
///   TopicData []TopicProduceData
///     Name string 0-12 ignorable
/// </code>
/// A message: request | response NAME KEY, or data NAME [TYPE NUMBER]; then "versions RANGE", and "flexible N+" where it has flexible versions.
/// A field: NAME TYPE [RANGE] [= DEFAULT] [tag N] [ignorable] [inflexible]. No range means all versions. "TYPE?" may be null in all versions,
/// "TYPE?7+" in some; without "= null" the default of what may be null is still the empty value, as in Kafka. A struct used by several
/// fields is declared first: "struct NAME [RANGE]". Types: see <see cref="Primitives"/>, "[]TYPE", and the names of structs.
/// </summary>
internal sealed class SchemaParser
{
    private readonly Schema _schema = new();
    private readonly List<(Struct Owner, int Indent)> _open = [];
    private readonly HashSet<string> _shared = new(StringComparer.Ordinal);
    private Message? _message;
    private SchemaLine? _messageLine;

    public static Schema Parse(IEnumerable<string> lines)
    {
        var parser = new SchemaParser();
        string? comment = null;
        int number = -1;
        foreach (string raw in lines)
        {
            number++;
            string text = raw.TrimEnd();
            string trimmed = text.TrimStart();
            if (trimmed.Length == 0)
                comment = null;
            else if (trimmed[0] == '#')
                comment = (comment is null ? "" : comment + " ") + trimmed.Substring(1).Trim();
            else
            {
                var line = new SchemaLine(text, number, comment);
                comment = null;
                if (text.Contains('\t') || line.Indent % 2 != 0)
                    throw new SchemaException("indent by two spaces", number, 0, text.Length);
                parser.Line(line);
            }
        }
        parser.EndMessage();
        if (parser._schema.Namespace.Length == 0)
            throw new SchemaException("the first line must be: namespace NAME", 0, 0, 1);
        return parser._schema;
    }

    private void Line(SchemaLine line)
    {
        if (line.Indent > 0)
            Member(line);
        else if (line.TakeIf("namespace"))
            _schema.Namespace = line.Take("the namespace");
        else if (line.TakeIf("request"))
            Begin(line, MessageKind.Request);
        else if (line.TakeIf("response"))
            Begin(line, MessageKind.Response);
        else if (line.TakeIf("data"))
            Begin(line, MessageKind.Data);
        else
        {
            line.Take("a declaration");
            throw line.Error("expected namespace, request, response or data");
        }
        line.ExpectEnd();
    }

    private void Begin(SchemaLine line, MessageKind kind)
    {
        EndMessage();
        string name = line.Take("the message's name");
        CheckName(line, name);
        int apiKey = -1;
        if (kind != MessageKind.Data || line.TakeIf("type"))
            apiKey = line.TakeNumber("the key");
        if (!line.TakeIf("versions"))
            throw line.Error("expected: versions RANGE");
        VersionRange versions = line.TakeRange("the range of versions");
        if (versions.High == VersionRange.Max)
            throw line.Error("a message needs a last version");
        int flexible = line.TakeIf("flexible") ? line.TakeRange("the first flexible version").Low : VersionRange.Max;

        string className = kind == MessageKind.Data ? name : name + kind;
        _message = new Message(kind, className, (short)apiKey, versions, flexible) { Root = new Struct(className, versions, line.Comment) };
        _messageLine = line;
        _schema.Messages.Add(_message);
        _open.Clear();
        _shared.Clear();
        _open.Add((_message.Root, 2));
    }

    private void EndMessage()
    {
        if (_message is not null)
            SchemaChecks.Check(_message, _messageLine!);
        _message = null;
    }

    private void Member(SchemaLine line)
    {
        if (_message is null)
            throw new SchemaException("a field before any message", line.Number, line.Indent, 1);
        while (_open.Count > 0 && _open[_open.Count - 1].Indent > line.Indent)
            _open.RemoveAt(_open.Count - 1);
        if (_open.Count == 0 || _open[_open.Count - 1].Indent != line.Indent)
            throw new SchemaException("indented below something that is not a struct", line.Number, 0, line.Indent);
        Struct owner = _open[_open.Count - 1].Owner;

        if (owner == _message.Root && line.TakeIf("struct"))
        {
            string name = line.Take("the struct's name");
            line.TryTakeRange(out VersionRange range);
            Open(line, name, range.Intersect(_message.Versions));
            _shared.Add(name);
            return;
        }
        ParseField(line, owner);
    }

    private void ParseField(SchemaLine line, Struct owner)
    {
        string name = line.Take("the field's name");
        CheckName(line, name);
        if (owner.Fields.Exists(other => other.Name == name))
            throw line.Error($"the field {name} is here twice");

        string type = line.Take("the field's type");
        bool isArray = type.StartsWith("[]", StringComparison.Ordinal);
        if (isArray)
            type = type.Substring(2);
        int mark = type.IndexOf('?');
        VersionRange nullable = mark < 0 ? VersionRange.None
            : mark == type.Length - 1 ? VersionRange.All : line.Range(type.Substring(mark + 1));
        if (mark >= 0)
            type = type.Substring(0, mark);
        if (!Primitives.IsPrimitive(type))
            CheckName(line, type);

        var field = new Field(name, type, isArray) { NullableVersions = nullable, Comment = line.Comment };
        line.TryTakeRange(out VersionRange versions);
        field.Versions = versions;
        while (!line.AtEnd)
        {
            if (line.TakeIf("="))
                field.Default = line.Take("the default value");
            else if (line.TakeIf("tag"))
                field.Tag = line.TakeNumber("the tag's number");
            else if (line.TakeIf("ignorable"))
                field.Ignorable = true;
            else if (line.TakeIf("inflexible"))
                field.Inflexible = true;
            else
                line.ExpectEnd();
        }

        VersionRange occurs = versions.Intersect(owner.Versions);
        if (!Primitives.IsPrimitive(type))
        {
            field.Struct = _shared.Contains(type) ? _message!.Structs[type] : Open(line, type, occurs);
        }
        SchemaChecks.Check(_message!, owner, field, line);
        owner.Fields.Add(field);
    }

    private Struct Open(SchemaLine line, string name, VersionRange versions)
    {
        CheckName(line, name);
        if (_message!.Structs.ContainsKey(name))
            throw line.Error($"the struct {name} is here twice; declare it once with: struct {name}");
        var opened = new Struct(name, versions, line.Comment);
        _message.Structs.Add(name, opened);
        _open.Add((opened, line.Indent + 2));
        return opened;
    }

    private static void CheckName(SchemaLine line, string name)
    {
        if (!char.IsUpper(name[0]) || !name.All(char.IsLetterOrDigit))
            throw line.Error($"'{name}' is no name: a capital letter, then letters and digits");
    }
}
