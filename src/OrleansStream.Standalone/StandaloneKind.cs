using OrleansStream.Broker.Engine;
using OrleansStream.Hosting;
using OrleansStream.Hosting.Configuration;

namespace OrleansStream.Standalone;

/// <summary>One process that leads every partition.</summary>
internal sealed class StandaloneKind : IEngineKind
{
    public ProgramDescription Program { get; } =
        new("ostream-standalone", "Standalone", "a Kafka broker in one process. To Kafka clients it is a cluster of one.");

    public bool SharesData(ProcessSettings settings) => false;

    public async Task<IHostedEngine> StartAsync(EngineContext context, CancellationToken cancel) =>
        new Hosted(await BrokerEngine.StartAsync(context.Parts, context.Advertised, cancel));

    private sealed class Hosted(BrokerEngine engine) : IHostedEngine
    {
        public BrokerEngine Engine => engine;
        public IReadOnlyList<KeyValuePair<string, string>> Notes => [];

        public Task LeaveAsync(CancellationToken cancel) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancel) => engine.StopAsync(cancel).AsTask();

        public ValueTask DisposeAsync() => engine.DisposeAsync();
    }
}
