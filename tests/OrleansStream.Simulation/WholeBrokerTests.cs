using System.Globalization;
using OrleansStream.Simulation.Kit;
using Xunit.Abstractions;

namespace OrleansStream.Simulation;

/// <summary>
/// The whole broker under faults. <c>OSTREAM_SIM_SEEDS</c>: how many seeds (default: a slice that takes a minute or two); <c>OSTREAM_SIM_FROM</c>: the first; <c>OSTREAM_SIM_SEED</c>: only
/// this one; <c>OSTREAM_SIM_LOG=1</c>: print all logs.
/// </summary>
public sealed class WholeBrokerTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_invariant_holds_for_every_seed()
    {
        foreach (var seed in Seeds(50))
        {
            var scenario = new BrokerScenario(seed);
            scenario.Run();
            output.WriteLine($"seed {seed}: {scenario.Summary}");
        }
    }

    [Fact]
    public void One_seed_gives_one_run()
    {
        for (var seed = 1000; seed < 1003; seed++)
        {
            var digests = new HashSet<ulong>();
            for (var again = 0; again < 2; again++)
            {
                var scenario = new BrokerScenario(seed);
                scenario.Run();
                digests.Add(scenario.Digest);
            }

            Assert.Single(digests);
        }
    }

    [Theory]
    [InlineData(typeof(ConfirmsBeforeDurable))]
    [InlineData(typeof(TrimsWhatIsNotSealed))]
    [InlineData(typeof(ReplaysTooLittle))]
    [InlineData(typeof(FencesNobody))]
    [InlineData(typeof(TakesExistsForSuccess))]
    [InlineData(typeof(ForgetsDeletions))]
    [InlineData(typeof(DeletesTooMuch))]
    public void A_defect_put_in_on_purpose_is_found(Type mutation)
    {
        for (var seed = 0; seed < 40; seed++)
        {
            try
            {
                new BrokerScenario(seed, (Mutation)Activator.CreateInstance(mutation)!).Run();
            }
            catch (SimulationFailedException found)
            {
                output.WriteLine(found.Message.Split('\n')[0]);
                // By an invariant's name, or by the replay that finds its marker gone.
                Assert.Matches("I[1-5] is|must be fenced before it is replayed", found.Message);
                return;
            }
        }

        Assert.Fail("40 seeds did not find it");
    }

    internal static IEnumerable<int> Seeds(int count) => Number("OSTREAM_SIM_SEED") is { } one
        ? [one]
        : Enumerable.Range(Number("OSTREAM_SIM_FROM") ?? 0, Number("OSTREAM_SIM_SEEDS") ?? count);

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : null;
}
