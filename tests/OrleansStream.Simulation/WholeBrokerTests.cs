using Xunit.Abstractions;

namespace OrleansStream.Simulation;

/// <summary>The whole broker under faults.</summary>
public sealed class WholeBrokerTests(ITestOutputHelper output)
{
    private readonly Runs _runs = new(output, (seed, mutation) => new BrokerScenario(seed, mutation));

    [Fact]
    public void Every_invariant_holds_for_every_seed() => _runs.EveryInvariantHolds(seeds: 50);

    [Fact]
    public void One_seed_gives_one_run() => _runs.AreTheSameForTheSameSeed(1000, 1001, 1002);

    [Theory]
    [InlineData(typeof(ConfirmsBeforeDurable))]
    [InlineData(typeof(TrimsWhatIsNotSealed))]
    [InlineData(typeof(ReplaysTooLittle))]
    [InlineData(typeof(FencesNobody))]
    [InlineData(typeof(TakesExistsForSuccess))]
    [InlineData(typeof(ForgetsDeletions))]
    [InlineData(typeof(DeletesTooMuch))]
    public void A_defect_put_in_on_purpose_is_found(Type mutation) => _runs.Find(mutation);
}
