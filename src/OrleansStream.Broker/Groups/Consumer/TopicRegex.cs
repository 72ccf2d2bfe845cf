using System.Text;
using System.Text.RegularExpressions;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>
/// A regular expression over topic names, as consumers subscribe with it (KIP-848). Kafka takes RE2's language, whose matching needs time in proportion to
/// the name; so is this: .NET's engine without backtracking, of whose language only what RE2 has as well is let through. A name must match as a whole.
/// </summary>
internal sealed class TopicRegex
{
    /// <summary>RE2's own bound for {n,m}.</summary>
    private const int MaxRepeat = 1000;

    /// <summary>Most parts of an expression with its repetitions written out (nested ones multiply): what the automaton's size follows.</summary>
    private const int MaxSize = 10_000;

    /// <summary>Longer than any list of topic names that is worth writing down; what is longer is refused before it costs anything.</summary>
    private const int MaxLength = 4096;

    private readonly Regex _regex;

    private TopicRegex(Regex regex) => _regex = regex;

    public bool Matches(string topic) => _regex.IsMatch(topic);

    /// <summary>Throws <see cref="GroupException"/> with INVALID_REGULAR_EXPRESSION for what is not one.</summary>
    public static TopicRegex Parse(string pattern)
    {
        try
        {
            var translated = Translate(pattern);
            // Once alone, so that "a)(b" does not become right inside of the parentheses around it.
            _ = new Regex(translated, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            return new TopicRegex(new Regex($@"\A(?:{translated})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new GroupException(
                ErrorCode.InvalidRegularExpression, $"SubscribedTopicRegex `{pattern}` is not a valid regular expression: {e.Message}");
        }
    }

    /// <summary>Turns what RE2 writes differently into .NET's words, and refuses what RE2 does not know.</summary>
    private static string Translate(string pattern)
    {
        if (pattern.Length > MaxLength)
            throw new ArgumentException($"expression longer than {MaxLength} characters");
        var text = new StringBuilder(pattern.Length + 16);
        var size = new RegexSize();
        for (var i = 0; i < pattern.Length; i++)
        {
            switch (pattern[i])
            {
                case '\\' when i + 1 < pattern.Length && pattern[i + 1] == 'Q':
                    i = Quoted(pattern, i, text);
                    size.Atom();
                    break;
                case '\\' when i + 1 < pattern.Length:
                    if (char.IsAsciiDigit(pattern[i + 1]) && pattern[i + 1] != '0')
                        throw new ArgumentException("invalid escape sequence");
                    text.Append(pattern, i++, 2);
                    size.Atom();
                    break;
                case '[':
                    i = Class(pattern, i, text);
                    size.Atom();
                    break;
                case '(':
                    if (i + 1 < pattern.Length && pattern[i + 1] == '?')
                        i = Group(pattern, i, text);
                    else
                        text.Append("(?:");
                    if (pattern[i] != ')')
                        size.Open();
                    break;
                case ')':
                    text.Append(')');
                    size.Close();
                    break;
                case '{':
                    text.Append('{');
                    size.Repeat(Repeat(pattern, i));
                    break;
                default:
                    text.Append(pattern[i]);
                    size.Atom();
                    break;
            }
        }
        if (size.Total > MaxSize)
            throw new ArgumentException("expression too large");
        return text.ToString();
    }

    /// <summary>\Q...\E: what is between them is meant as it stands.</summary>
    private static int Quoted(string pattern, int start, StringBuilder text)
    {
        var end = pattern.IndexOf("\\E", start + 2, StringComparison.Ordinal);
        text.Append(Regex.Escape(pattern[(start + 2)..(end < 0 ? pattern.Length : end)]));
        return end < 0 ? pattern.Length - 1 : end + 1;
    }

    private static readonly Dictionary<string, string> PosixClasses = new(StringComparer.Ordinal)
    {
        ["alnum"] = "0-9A-Za-z", ["alpha"] = "A-Za-z", ["ascii"] = @"\x00-\x7F", ["blank"] = @"\t ", ["cntrl"] = @"\x00-\x1F\x7F", ["digit"] = "0-9",
        ["graph"] = "!-~", ["lower"] = "a-z", ["print"] = " -~", ["punct"] = @"!-/:-@\[-`{-~", ["space"] = @"\t\n\v\f\r ", ["upper"] = "A-Z",
        ["word"] = "0-9A-Za-z_", ["xdigit"] = "0-9A-Fa-f",
    };

    /// <summary>A character class: a '[' in it is itself (.NET would subtract), or opens a class of POSIX.</summary>
    private static int Class(string pattern, int start, StringBuilder text)
    {
        text.Append('[');
        var i = start + 1;
        if (i < pattern.Length && pattern[i] == '^')
            text.Append(pattern[i++]);
        for (var first = true; i < pattern.Length; i++, first = false)
        {
            if (pattern[i] == ']' && !first)
            {
                text.Append(']');
                return i;
            }
            if (pattern[i] == '\\' && i + 1 < pattern.Length)
            {
                text.Append(pattern, i++, 2);
            }
            else if (pattern[i] == '[' && i + 1 < pattern.Length && pattern[i + 1] == ':')
            {
                var end = pattern.IndexOf(":]", i + 2, StringComparison.Ordinal);
                if (end < 0 || !PosixClasses.TryGetValue(pattern[(i + 2)..end], out var range))
                    throw new ArgumentException("invalid character class range");
                text.Append(range);
                i = end + 1;
            }
            else
            {
                text.Append(pattern[i] is '[' or ']' ? @"\" : "").Append(pattern[i]);
            }
        }
        throw new ArgumentException("missing closing ]");
    }

    /// <summary>(?:...), (?P&lt;name&gt;...), (?&lt;name&gt;...) and flags; RE2 has neither looks around nor comments.</summary>
    private static int Group(string pattern, int start, StringBuilder text)
    {
        var i = start + 2;
        if (i < pattern.Length && pattern[i] == 'P')
            i++;
        if (i + 1 < pattern.Length && pattern[i] == '<' && (char.IsAsciiLetterOrDigit(pattern[i + 1]) || pattern[i + 1] == '_'))
        {
            var end = pattern.IndexOf('>', i);
            if (end < 0 || !pattern[(i + 1)..end].All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
                throw new ArgumentException("invalid named capture");
            text.Append("(?:");
            return end;
        }
        // 'U' makes repetitions lazy, which makes no difference to whether a whole name matches.
        var flags = new StringBuilder();
        for (i = start + 2; i < pattern.Length && pattern[i] is 'i' or 'm' or 's' or 'U' or '-'; i++)
        {
            if (pattern[i] != 'U')
                flags.Append(pattern[i]);
        }
        if (i >= pattern.Length || pattern[i] is not (':' or ')'))
            throw new ArgumentException("invalid or unsupported Perl syntax");
        text.Append("(?").Append(flags).Append(flags.Length == 0 && pattern[i] == ')' ? ":)" : pattern[i].ToString());
        return i;
    }

    /// <summary>The larger bound of a repetition that begins here; 1 where the brace is just a brace.</summary>
    private static int Repeat(string pattern, int start)
    {
        var end = pattern.IndexOf('}', start);
        if (end < 0)
            return 1;
        var bounds = pattern[(start + 1)..end].Split(',');
        if (bounds.Length > 2 || bounds[0].Length == 0 || !bounds.All(b => b.All(char.IsAsciiDigit)))
            return 1;
        var most = 1;
        foreach (var bound in bounds.Where(b => b.Length > 0))
        {
            if (!int.TryParse(bound, out var count) || count > MaxRepeat)
                throw new ArgumentException("invalid repeat count");
            most = Math.Max(most, count);
        }
        return most;
    }
}
