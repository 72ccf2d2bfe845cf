using System.Globalization;
using OrleansStream.Simulation.Kit;
using Xunit.Abstractions;

namespace OrleansStream.Simulation;

/// <summary>
/// Runs of one kind of scenario. <c>OSTREAM_SIM_SEEDS</c>: how many seeds (default: a slice that takes a minute or two); <c>OSTREAM_SIM_FROM</c>: the first;
/// <c>OSTREAM_SIM_SEED</c>: only this one; <c>OSTREAM_SIM_LOG=1</c>: print all logs.
/// </summary>
internal sealed class Runs(ITestOutputHelper output, Func<int, Mutation?, Scenario> scenario)
{
    public void EveryInvariantHolds(int seeds)
    {
        IEnumerable<int> chosen = Number("OSTREAM_SIM_SEED") is { } one
            ? [one]
            : Enumerable.Range(Number("OSTREAM_SIM_FROM") ?? 0, Number("OSTREAM_SIM_SEEDS") ?? seeds);
        foreach (var seed in chosen)
        {
            output.WriteLine($"seed {seed}: {Run(seed).Summary}");
        }
    }

    public void AreTheSameForTheSameSeed(params ReadOnlySpan<int> seeds)
    {
        foreach (var seed in seeds)
        {
            Assert.Equal(Run(seed).Digest, Run(seed).Digest);
        }
    }

    /// <param name="by">What finds it: an invariant's name, or the replay that finds its marker gone.</param>
    public void Find(Type mutation, string by = "[IG][1-5] is|must be fenced before it is replayed")
    {
        for (var seed = 0; seed < 40; seed++)
        {
            try
            {
                Run(seed, (Mutation)Activator.CreateInstance(mutation)!);
            }
            catch (SimulationFailedException found)
            {
                output.WriteLine(found.Message.Split('\n')[0]);
                Assert.Matches(by, found.Message);
                return;
            }
        }

        Assert.Fail("40 seeds did not find it");
    }

    private Scenario Run(int seed, Mutation? mutation = null)
    {
        var run = scenario(seed, mutation);
        run.Run();
        return run;
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : null;
}
