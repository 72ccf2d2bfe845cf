using OrleansStream.Simulation.Kit;
using Xunit.Abstractions;

namespace OrleansStream.Simulation;

/// <summary>A cluster of brokers under faults, planned moves and failovers. The variables are those of <see cref="WholeBrokerTests"/>.</summary>
public sealed class ClusterTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_invariant_holds_for_every_seed()
    {
        foreach (var seed in WholeBrokerTests.Seeds(30))
        {
            var scenario = new ClusterScenario(seed);
            scenario.Run();
            output.WriteLine($"seed {seed}: {scenario.Summary}");
        }
    }

    [Fact]
    public void One_seed_gives_one_run()
    {
        var digests = new HashSet<ulong>();
        for (var again = 0; again < 2; again++)
        {
            var scenario = new ClusterScenario(1000);
            scenario.Run();
            digests.Add(scenario.Digest);
        }

        Assert.Single(digests);
    }

    [Theory]
    [InlineData(typeof(ConfirmsBeforeDurable))]
    [InlineData(typeof(TrimsWhatIsNotSealed))]
    [InlineData(typeof(ReplaysTooLittle))]
    [InlineData(typeof(FencesNobody))]
    [InlineData(typeof(ForgetsTheJournal))]
    public void A_defect_put_in_on_purpose_is_found(Type mutation)
    {
        for (var seed = 0; seed < 40; seed++)
        {
            try
            {
                new ClusterScenario(seed, (Mutation)Activator.CreateInstance(mutation)!).Run();
            }
            catch (SimulationFailedException found)
            {
                output.WriteLine(found.Message.Split('\n')[0]);
                Assert.Matches("I[1-5] is|must be fenced before it is replayed", found.Message);
                return;
            }
        }

        Assert.Fail("40 seeds did not find it");
    }
}
