using System.Globalization;
using System.Text;

namespace OrleansStream.Hosting.Metrics;

/// <summary>Writes what was collected in Prometheus' text format, version 0.0.4.</summary>
internal static class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    public static string Make(IEnumerable<MetricsCollector.Collected> instruments)
    {
        var text = new StringBuilder();
        foreach (MetricsCollector.Collected collected in instruments)
        {
            string name = NameOf(collected);
            string type = collected.Kind.ToString().ToLowerInvariant();
            text.Append("# HELP ").Append(name).Append(' ').AppendLine((collected.Instrument.Description ?? "").Replace("\\", "\\\\").Replace("\n", "\\n"));
            text.Append("# TYPE ").Append(name).Append(' ').AppendLine(type);
            foreach ((Tags tags, Series series) in collected.Series)
            {
                if (collected.Kind == MetricsCollector.Kind.Histogram)
                    AddHistogram(text, name, tags, series, collected.Bounds!);
                else
                    AddSample(text, name, tags, null, series.Read().Sum);
            }
        }
        return text.ToString();
    }

    private static void AddHistogram(StringBuilder text, string name, Tags tags, Series series, double[] bounds)
    {
        (double sum, long count, long[] buckets) = series.Read();
        long below = 0;
        for (int i = 0; i < bounds.Length; i++)
        {
            below += buckets[i];
            AddSample(text, name + "_bucket", tags, Number(bounds[i]), below);
        }
        AddSample(text, name + "_bucket", tags, "+Inf", count);
        AddSample(text, name + "_sum", tags, null, sum);
        AddSample(text, name + "_count", tags, null, count);
    }

    private static void AddSample(StringBuilder text, string name, Tags tags, string? le, double value)
    {
        text.Append(name);
        string separator = "{";
        AddLabel(text, tags.Key1, tags.Value1, ref separator);
        AddLabel(text, tags.Key2, tags.Value2, ref separator);
        AddLabel(text, le is null ? null : "le", le, ref separator);
        if (separator == ",")
            text.Append('}');
        text.Append(' ').AppendLine(Number(value));
    }

    private static void AddLabel(StringBuilder text, string? key, string? value, ref string separator)
    {
        if (key is null)
            return;
        text.Append(separator).Append(Plain(key)).Append("=\"")
            .Append((value ?? "").Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")).Append('"');
        separator = ",";
    }

    private static string NameOf(MetricsCollector.Collected collected)
    {
        string name = Plain(collected.Instrument.Name);
        string unit = collected.Instrument.Unit switch { "s" => "_seconds", "By" when !name.Contains("bytes", StringComparison.Ordinal) => "_bytes", _ => "" };
        return name + unit + (collected.Kind == MetricsCollector.Kind.Counter ? "_total" : "");
    }

    private static string Plain(string name) => string.Concat(name.Select(static c => char.IsAsciiLetterOrDigit(c) || c == '_' ? c : '_'));

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
