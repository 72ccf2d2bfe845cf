using System.Globalization;
using OrleansStream.Simulation.Kit;
using Xunit.Abstractions;

namespace OrleansStream.Simulation;

/// <summary>
/// The whole broker under faults. <c>OSTREAM_SIM_SEEDS</c>: how many seeds (default 50); <c>OSTREAM_SIM_FROM</c>: the first; <c>OSTREAM_SIM_SEED</c>: only
/// this one; <c>OSTREAM_SIM_LOG=1</c>: print all logs.
/// </summary>
public sealed class WholeBrokerTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_invariant_holds_for_every_seed()
    {
        foreach (var seed in Seeds())
        {
            var scenario = new BrokerScenario(seed);
            scenario.Run();
            output.WriteLine($"seed {seed}: {scenario.Summary}");
        }
    }

    private static IEnumerable<int> Seeds() => Number("OSTREAM_SIM_SEED") is { } one
        ? [one]
        : Enumerable.Range(Number("OSTREAM_SIM_FROM") ?? 0, Number("OSTREAM_SIM_SEEDS") ?? 50);

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : null;
}
