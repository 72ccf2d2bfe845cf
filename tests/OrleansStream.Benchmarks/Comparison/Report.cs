using System.Globalization;
using System.Text;

namespace OrleansStream.Benchmarks.Comparison;

/// <summary>The table in Markdown: medians, the ratio, and the goal.</summary>
internal static class Report
{
    public static string Write(Measurements measurements, string ours, string theirs, Plan plan)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, {Machine()}; medians of {plan.Rounds}, lowest to highest in brackets.");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| | | {ours} | {theirs} | ratio | goal | |");
        text.AppendLine("|---|---|---|---|---|---|---|");
        foreach (Figure figure in Figures.All)
        {
            double? mine = measurements.Median(ours, figure), other = measurements.Median(theirs, figure);
            if (mine is null && other is null)
                continue;
            double? ratio = mine / other;
            string goal = figure.Goal is double g ? (figure.Better == Better.More ? "at least " : "at most ") + Number(g) : "";
            bool? reached = figure.Goal is null || ratio is null ? null : figure.Better == Better.More ? ratio >= figure.Goal : ratio <= figure.Goal;
            string verdict = reached switch { true => "reached", false => "missed", null => "" };
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {figure.Point} | {figure.Name}, {figure.Unit} | {Cell(measurements, ours, figure)} | {Cell(measurements, theirs, figure)} | {Number(ratio)} | {goal} | {verdict} |");
        }
        return text.ToString();
    }

    private static string Cell(Measurements measurements, string broker, Figure figure)
    {
        IReadOnlyList<double> values = measurements.Of(broker, figure);
        return values.Count switch
        {
            0 => "-",
            1 => Number(values[0]),
            _ => $"{Number(measurements.Median(broker, figure))} [{Number(values.Min())}, {Number(values.Max())}]",
        };
    }

    private static string Number(double? value) => value switch
    {
        null => "-",
        >= 100 => value.Value.ToString("0", CultureInfo.InvariantCulture),
        >= 10 => value.Value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.Value.ToString("0.00", CultureInfo.InvariantCulture),
    };

    private static string Machine()
    {
        string model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[1] ?? "unknown processor";
        double memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1e9;
        return $"{Environment.ProcessorCount} cores ({model}), {memory:0} GB, .NET {Environment.Version}";
    }
}
