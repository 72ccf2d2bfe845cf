using System.Diagnostics;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd.Clients;

/// <summary>Every Kafka client that is installed, at work at once. What is missing is said loudly, and the test goes on without it.</summary>
internal sealed class SteadyClients : IAsyncDisposable
{
    private readonly ITestOutputHelper _output;
    private readonly List<SteadyClient> _clients = [];
    private readonly Dictionary<string, List<TimeSpan>> _silences = [];

    private SteadyClients(ITestOutputHelper output) => _output = output;

    /// <summary>Completes when each of them writes and reads.</summary>
    /// <param name="some">Which; none: all.</param>
    public static async Task<SteadyClients> StartAsync(SiloCluster cluster, ITestOutputHelper output, params SteadyTool[] some)
    {
        var all = new SteadyClients(output);
        try
        {
            foreach (SteadyTool tool in some.Length > 0 ? some : SteadyTool.All)
            {
                if (tool.Absent() is { } reason)
                {
                    output.WriteLine($"SKIPPED: {tool.Name}: {reason}");
                    await Console.Error.WriteLineAsync($"*** SKIPPED: {tool.Name} beside a cluster in trouble: {reason} ***");
                    continue;
                }
                all._clients.Add(await SteadyClient.StartAsync(cluster, tool));
            }
            return all;
        }
        catch
        {
            await all.DisposeAsync();
            throw;
        }
    }

    /// <summary>Completes when all of them have gone on writing and reading. Prints and keeps how long each had to wait since a moment.</summary>
    public async Task ProceedAsync(long moment)
    {
        TimeSpan[] waited = await Task.WhenAll(_clients.Select(c => c.ProceedsAsync(moment)));
        foreach ((SteadyClient client, TimeSpan longest) in _clients.Zip(waited))
        {
            if (!_silences.TryGetValue(client.Name, out List<TimeSpan>? all)) _silences[client.Name] = all = [];
            all.Add(longest);
        }
        if (_clients.Count > 0) _output.WriteLine($"longest without an acknowledgement in a partition: {string.Join(", ", _clients.Zip(waited, static (c, w) => $"{c.Name} {w.TotalMilliseconds:0} ms"))}");
    }

    /// <summary>Ends them and checks all that they were told.</summary>
    public async Task CheckAsync()
    {
        string[] lines = await Task.WhenAll(_clients.Select(static c => c.CheckAsync()));
        foreach (string line in lines) _output.WriteLine(line);
        foreach ((string name, List<TimeSpan> all) in _silences) _output.WriteLine($"{name}, longest without an acknowledgement in a partition: {all.Summary()}");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (SteadyClient client in _clients) await client.DisposeAsync();
    }
}
