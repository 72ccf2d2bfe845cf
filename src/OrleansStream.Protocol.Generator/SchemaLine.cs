namespace OrleansStream.Protocol.Generator;

/// <summary>The words of one line of a schema, taken from left to right.</summary>
internal sealed class SchemaLine
{
    private readonly List<(string Text, int Column)> _words = [];
    private int _next;

    public SchemaLine(string text, int number, string? comment)
    {
        Number = number;
        Comment = comment;
        Indent = text.Length - text.TrimStart(' ').Length;
        for (int at = Indent; at < text.Length;)
        {
            int end = at;
            bool quoted = false;
            for (; end < text.Length && (quoted || text[end] != ' '); end++)
                quoted ^= text[end] == '"';
            if (end > at)
                _words.Add((text.Substring(at, end - at), at));
            at = end + 1;
        }
    }

    public int Number { get; }
    public int Indent { get; }
    public string? Comment { get; }
    public bool AtEnd => _next == _words.Count;

    public string Take(string what) => AtEnd ? throw Error($"{what} is missing") : _words[_next++].Text;

    public bool TakeIf(string word)
    {
        if (AtEnd || _words[_next].Text != word)
            return false;
        _next++;
        return true;
    }

    /// <summary>A version range, if the next word is one: "3", "3-13" or "3+".</summary>
    public bool TryTakeRange(out VersionRange range)
    {
        range = VersionRange.All;
        if (AtEnd || !char.IsDigit(_words[_next].Text[0]))
            return false;
        range = Range(Take("a version range"));
        return true;
    }

    public VersionRange TakeRange(string what) => TryTakeRange(out VersionRange range) ? range : throw Error($"{what} is missing");

    /// <summary>Parses a range out of the word taken last.</summary>
    public VersionRange Range(string word)
    {
        int dash = word.IndexOf('-');
        if (word.EndsWith("+", StringComparison.Ordinal) && Number16(word.Substring(0, word.Length - 1), out int low))
            return new VersionRange(low, VersionRange.Max);
        if (dash > 0 && Number16(word.Substring(0, dash), out low) && Number16(word.Substring(dash + 1), out int high) && low <= high)
            return new VersionRange(low, high);
        if (Number16(word, out low))
            return new VersionRange(low, low);
        throw Error($"'{word}' is no version range");
    }

    public int TakeNumber(string what) => Number16(Take(what), out int number) ? number : throw Error($"{what} must be a number from 0 to 32767");

    public void ExpectEnd()
    {
        if (AtEnd)
            return;
        _next++;
        throw Error($"'{_words[_next - 1].Text}' is not expected here");
    }

    /// <summary>An error at the word taken last.</summary>
    public SchemaException Error(string message)
    {
        (string text, int column) = _words[Math.Max(0, _next - 1)];
        return new SchemaException(message, Number, column, text.Length);
    }

    private static bool Number16(string text, out int number) =>
        int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out number) && number <= VersionRange.Max;
}
