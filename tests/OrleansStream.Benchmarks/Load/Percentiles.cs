namespace OrleansStream.Benchmarks.Load;

/// <summary>Latencies of every record, in milliseconds.</summary>
internal sealed record Percentiles(double P50, double P99, double P999, double Max, long Count)
{
    /// <param name="nanoseconds">One for each record; sorted in place.</param>
    public static Percentiles Of(Span<long> nanoseconds)
    {
        nanoseconds.Sort();
        return new(At(nanoseconds, 0.5), At(nanoseconds, 0.99), At(nanoseconds, 0.999), nanoseconds[^1] / 1e6, nanoseconds.Length);
    }

    public override string ToString() => $"p50 {P50:0.00}  p99 {P99:0.00}  p99.9 {P999:0.00}  max {Max:0.0} ms";

    private static double At(ReadOnlySpan<long> sorted, double share) => sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)] / 1e6;
}
