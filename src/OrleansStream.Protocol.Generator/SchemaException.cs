namespace OrleansStream.Protocol.Generator;

/// <summary>What is wrong with a schema, and where: zero-based line and columns.</summary>
internal sealed class SchemaException(string message, int line, int column, int length) : Exception(message)
{
    public int Line { get; } = line;
    public int Column { get; } = column;
    public int Length { get; } = length;
}
