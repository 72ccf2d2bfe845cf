using System.Diagnostics.Metrics;

namespace OrleansStream.Storage.Journals;

/// <summary>Instruments of the journal, in the meter <c>OrleansStream.Journal</c>.</summary>
internal static class JournalMetrics
{
    private static readonly Meter s_meter = new("OrleansStream.Journal");

    private static readonly Histogram<double> s_seconds =
        s_meter.CreateHistogram<double>("ostream.journal.commit.duration", "s", "From the start of a commit's write until it is durable");

    private static readonly Histogram<long> s_bytes =
        s_meter.CreateHistogram<long>("ostream.journal.commit.size", "By", "Bytes of a commit as written, with headers and padding");

    public static void Committed(TimeSpan duration, long bytes)
    {
        s_seconds.Record(duration.TotalSeconds);
        s_bytes.Record(bytes);
    }
}
