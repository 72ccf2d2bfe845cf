using Xunit.Abstractions;

namespace OrleansStream.Simulation;

/// <summary>A cluster of brokers under faults, planned moves and failovers.</summary>
public sealed class ClusterTests(ITestOutputHelper output)
{
    private readonly Runs _runs = new(output, (seed, mutation) => new ClusterScenario(seed, mutation));

    [Fact]
    public void Every_invariant_holds_for_every_seed() => _runs.EveryInvariantHolds(seeds: 30);

    [Fact]
    public void One_seed_gives_one_run() => _runs.AreTheSameForTheSameSeed(1000);

    [Theory]
    [InlineData(typeof(ConfirmsBeforeDurable))]
    [InlineData(typeof(TrimsWhatIsNotSealed))]
    [InlineData(typeof(ReplaysTooLittle))]
    [InlineData(typeof(FencesNobody))]
    [InlineData(typeof(ForgetsTheJournal))]
    public void A_defect_put_in_on_purpose_is_found(Type mutation) => _runs.Find(mutation);
}
