using System.Globalization;
using System.Text;

namespace OrleansStream.Hosting.Configuration;

/// <summary>Reads Java's properties format, as server.properties is written: comments, escapes, lines that go on after a backslash.</summary>
public static class PropertiesFile
{
    public static List<KeyValuePair<string, string>> Parse(string text)
    {
        var pairs = new List<KeyValuePair<string, string>>();
        foreach (string line in LogicalLines(text))
        {
            int end = EndOfKey(line);
            int value = end;
            while (value < line.Length && IsBlank(line[value]))
                value++;
            if (value < line.Length && line[value] is '=' or ':')
                value++;
            while (value < line.Length && IsBlank(line[value]))
                value++;
            pairs.Add(new(Unescape(line[..end]), Unescape(line[value..]).TrimEnd()));
        }
        return pairs;
    }

    private static IEnumerable<string> LogicalLines(string text)
    {
        var joined = new StringBuilder();
        foreach (string natural in text.ReplaceLineEndings("\n").Split('\n'))
        {
            string line = natural.TrimStart(' ', '\t', '\f');
            if (joined.Length == 0 && (line.Length == 0 || line[0] is '#' or '!'))
                continue;
            int slashes = line.Length - line.TrimEnd('\\').Length;
            bool goesOn = slashes % 2 == 1;
            joined.Append(goesOn ? line[..^1] : line);
            if (goesOn)
                continue;
            yield return joined.ToString();
            joined.Clear();
        }
        if (joined.Length > 0)
            yield return joined.ToString();
    }

    private static int EndOfKey(string line)
    {
        int at = 0;
        while (at < line.Length && !IsBlank(line[at]) && line[at] is not ('=' or ':'))
            at += line[at] == '\\' ? 2 : 1;
        return Math.Min(at, line.Length);
    }

    private static bool IsBlank(char c) => c is ' ' or '\t' or '\f';

    private static string Unescape(string text)
    {
        if (!text.Contains('\\'))
            return text;
        var plain = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\' || i + 1 == text.Length)
            {
                plain.Append(text[i]);
                continue;
            }
            char escaped = text[++i];
            if (escaped == 'u' && i + 4 < text.Length
                && ushort.TryParse(text.AsSpan(i + 1, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ushort code))
            {
                plain.Append((char)code);
                i += 4;
                continue;
            }
            plain.Append(escaped switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'f' => '\f', _ => escaped });
        }
        return plain.ToString();
    }
}
