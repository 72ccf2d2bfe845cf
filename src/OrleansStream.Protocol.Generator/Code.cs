using System.Text;

namespace OrleansStream.Protocol.Generator;

/// <summary>Text with indentation.</summary>
internal sealed class Code
{
    private readonly StringBuilder _text = new();
    private int _indent;

    public void Line(string line) => _text.Append(' ', line.Length == 0 ? 0 : 4 * _indent).Append(line).Append('\n');

    /// <summary>Opens a block; an empty line makes a plain one, for the scope of its locals.</summary>
    public void Open(string line)
    {
        if (line.Length > 0)
            Line(line);
        Line("{");
        _indent++;
    }

    public void Close()
    {
        _indent--;
        Line("}");
    }

    public override string ToString() => _text.ToString();
}
