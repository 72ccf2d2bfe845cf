using System.Globalization;
using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Configuration;

/// <summary>A parsed value. <see cref="Text"/> is its canonical form, as DescribeConfigs shows it.</summary>
public readonly record struct ConfigValue(ConfigType Type, string Text, long Integer, double Number, IReadOnlyList<string> Items)
{
    public bool Boolean => Integer != 0;

    /// <summary>Parses as Kafka's ConfigDef does; throws <see cref="ConfigException"/>.</summary>
    public static ConfigValue Parse(string name, ConfigType type, string text)
    {
        var trimmed = text.Trim();
        switch (type)
        {
            case ConfigType.Boolean:
                if (trimmed.Equals("true", StringComparison.OrdinalIgnoreCase))
                    return new ConfigValue(type, "true", 1, 1, []);
                if (trimmed.Equals("false", StringComparison.OrdinalIgnoreCase))
                    return new ConfigValue(type, "false", 0, 0, []);
                throw ConfigException.Invalid(name, text, "Expected value to be either true or false");
            case ConfigType.Int:
                return Whole(name, type, text, trimmed, int.MinValue, int.MaxValue);
            case ConfigType.Short:
                return Whole(name, type, text, trimmed, short.MinValue, short.MaxValue);
            case ConfigType.Long:
                return Whole(name, type, text, trimmed, long.MinValue, long.MaxValue);
            case ConfigType.Double:
                if (!double.TryParse(trimmed, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var number))
                    throw NotANumber(name, type, text);
                return new ConfigValue(type, JavaText(number), 0, number, []);
            case ConfigType.List:
                var items = trimmed.Length == 0 ? [] : trimmed.Split(',', StringSplitOptions.TrimEntries);
                return new ConfigValue(type, string.Join(',', items), 0, 0, items);
            default:
                return new ConfigValue(type, trimmed, 0, 0, []);
        }
    }

    private static ConfigValue Whole(string name, ConfigType type, string text, string trimmed, long min, long max)
    {
        if (!long.TryParse(trimmed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) || value < min || value > max)
            throw NotANumber(name, type, text);
        return new ConfigValue(type, value.ToString(CultureInfo.InvariantCulture), value, value, []);
    }

    private static ConfigException NotANumber(string name, ConfigType type, string text) =>
        ConfigException.Invalid(name, text, $"Not a number of type {type.ToString().ToUpperInvariant()}");

    /// <summary>Clients compare these as text, so a double is written as Java writes it: 1.0, 1.0E10.</summary>
    private static string JavaText(double number)
    {
        var text = number.ToString("R", CultureInfo.InvariantCulture);
        var exponent = text.IndexOf('E');
        var digits = exponent < 0 ? text : text[..exponent];
        if (!digits.Contains('.') && double.IsFinite(number))
            digits += ".0";
        return exponent < 0 ? digits : digits + "E" + text[(exponent + 1)..].TrimStart('+');
    }
}
