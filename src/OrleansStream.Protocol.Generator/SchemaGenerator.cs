using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace OrleansStream.Protocol.Generator;

/// <summary>
/// Makes the codecs of every *.schema file among a project's AdditionalFiles: one source for each file, and, where there are requests, a table of them.
/// Errors of a schema are errors of the build (OSW001), with file and line.
/// </summary>
[Generator]
public sealed class SchemaGenerator : IIncrementalGenerator
{
    private static readonly DiagnosticDescriptor Invalid = new(
        "OSW001", "Invalid message schema", "{0}", "Schema", DiagnosticSeverity.Error, isEnabledByDefault: true);

    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<Compiled> files = context.AdditionalTextsProvider
            .Where(file => file.Path.EndsWith(".schema", StringComparison.Ordinal))
            .Select((file, cancel) => Compile(file, cancel));

        context.RegisterSourceOutput(files, (output, compiled) =>
        {
            if (compiled.Error is null)
                output.AddSource(compiled.HintName, compiled.Source);
            else
                output.ReportDiagnostic(Diagnostic.Create(Invalid, compiled.ErrorLocation, compiled.Error));
        });

        IncrementalValueProvider<string> table = files.Collect().Select((all, _) => ApiTableEmitter.Emit(all.SelectMany(c => c.Apis)));
        context.RegisterSourceOutput(table, (output, source) =>
        {
            if (source.Length > 0)
                output.AddSource("ApiTable.g.cs", source);
        });
    }

    private static Compiled Compile(AdditionalText file, CancellationToken cancel)
    {
        SourceText? text = file.GetText(cancel);
        if (text is null)
            return Compiled.Failed("cannot be read", Location.None);
        try
        {
            Schema schema = SchemaParser.Parse(text.Lines.Select(line => line.ToString()));
            string hint = $"{schema.Namespace}.{Path.GetFileNameWithoutExtension(file.Path)}.g.cs";
            return Compiled.Ok(hint, MessageEmitter.Emit(schema), [.. schema.Messages.Select(m => new Api(schema.Namespace, m.Kind, m.Name, m.ApiKey))]);
        }
        catch (SchemaException error)
        {
            var start = new LinePosition(error.Line, error.Column);
            var lines = new LinePositionSpan(start, new LinePosition(error.Line, error.Column + error.Length));
            TextSpan span = error.Line < text.Lines.Count ? text.Lines[error.Line].Span : default;
            return Compiled.Failed(error.Message, Location.Create(file.Path, span, lines));
        }
    }

    /// <summary>What one file became.</summary>
    private sealed class Compiled
    {
        public string HintName { get; private set; } = "";
        public string Source { get; private set; } = "";
        public Api[] Apis { get; private set; } = [];
        public string? Error { get; private set; }
        public Location ErrorLocation { get; private set; } = Location.None;

        public static Compiled Ok(string hint, string source, Api[] apis) => new() { HintName = hint, Source = source, Apis = apis };

        public static Compiled Failed(string error, Location where) => new() { Error = error, ErrorLocation = where };
    }
}
