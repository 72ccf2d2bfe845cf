using System.Globalization;

namespace OrleansStream.Benchmarks;

/// <summary>Arguments of the form --name value, or --name alone.</summary>
internal sealed class Arguments
{
    private readonly Dictionary<string, string> _values = [];
    private readonly HashSet<string> _read = [];

    public Arguments(IEnumerable<string> args)
    {
        string? name = null;
        foreach (string arg in args)
        {
            if (arg.StartsWith("--", StringComparison.Ordinal))
                _values[name = arg[2..]] = "true";
            else if (name is not null)
                (_values[name], name) = (arg, null);
            else
                throw new ArgumentException($"'{arg}' stands where an option was expected.");
        }
    }

    public string Text(string name, string otherwise)
    {
        _read.Add(name);
        return _values.GetValueOrDefault(name, otherwise);
    }

    public bool Flag(string name) => Text(name, "false") == "true";

    public double Number(string name, double otherwise) =>
        double.Parse(Text(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);

    public int Count(string name, int otherwise) => (int)Number(name, otherwise);

    /// <summary>Refuses what nobody asked for: a misspelt option would measure something else.</summary>
    public void RefuseOthers()
    {
        string[] unknown = [.. _values.Keys.Except(_read)];
        if (unknown.Length > 0)
            throw new ArgumentException($"Unknown: --{string.Join(", --", unknown)}. Known: --{string.Join(", --", _read.Order())}.");
    }
}
