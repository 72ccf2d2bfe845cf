using Xunit.Abstractions;

namespace OrleansStream.Simulation;

/// <summary>Groups and their coordinators under faults, planned moves and failovers.</summary>
public sealed class GroupTests(ITestOutputHelper output)
{
    private readonly Runs _runs = new(output, (seed, mutation) => new GroupScenario(seed, mutation));

    [Fact]
    public void Every_invariant_holds_for_every_seed() => _runs.EveryInvariantHolds(Environment.GetEnvironmentVariable("OSTREAM_FULL") is null ? 50 : 1000);

    [Fact]
    public void One_seed_gives_one_run() => _runs.AreTheSameForTheSameSeed(1000);

    [Theory]
    [InlineData(typeof(ConfirmsBeforeDurable))]
    [InlineData(typeof(ReplaysTooLittle))]
    [InlineData(typeof(FencesNobody))]
    [InlineData(typeof(ForgetsTheJournal))]
    [InlineData(typeof(SnapshotCoversTooMuch))]
    public void A_defect_put_in_on_purpose_is_found(Type mutation) => _runs.Find(mutation);

    [Theory]
    [InlineData(typeof(ShowsWhatIsNotDurable), "G2")]
    [InlineData(typeof(GivesPartitionsTwice), "G3")]
    [InlineData(typeof(TakesCommitsOfEarlierGenerations), "G3")]
    public void A_defect_of_a_coordinator_is_found_by_its_invariant(Type mutation, string invariant) => _runs.Find(mutation, $"{invariant} is broken");
}
