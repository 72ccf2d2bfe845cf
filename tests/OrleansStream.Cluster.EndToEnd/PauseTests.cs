using System.Diagnostics;
using System.Net.Sockets;
using OrleansStream.Cluster.EndToEnd.Clients;
using OrleansStream.Cluster.EndToEnd.History;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Wire;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>
/// SIGSTOP of a silo past its death in membership, take-over by the others, SIGCONT under producers that still talk to it: nothing that either acknowledged
/// is lost, no offset has two contents, the old process ends by itself with a sentence, and the one that its supervisor starts takes its share.
/// </summary>
public sealed class PauseTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int Partitions = 6;

    [SkippableFact]
    public Task Paused_past_its_death_on_a_folder() => OnFolderAtLengthAsync(PauseAsync);

    [SkippableFact]
    public Task Paused_past_its_death_on_blobs() => OnAzuriteAsync(PauseAsync);

    private async Task PauseAsync(SiloCluster cluster)
    {
        // A paused process answers nothing and closes nothing: how soon a producer sees that is its own affair, and not to be measured here.
        Load load = await Load.StartAsync(cluster, "paused", Partitions, requestSeconds: 1);
        await using SteadyClients clients = await SteadyClients.StartAsync(cluster, Output);
        ClusterView before = await cluster.EvenAsync("paused");
        // Once the controller's silo, once another: who decides is the harder case.
        foreach (SiloProcess victim in (SiloProcess[])[cluster.Silos.First(s => s.NodeId != before.ControllerId), cluster.Silos.First(s => s.NodeId == before.ControllerId)])
        {
            ClusterView view = await cluster.EvenAsync("paused");
            int[] led = [.. view.LedBy(victim.NodeId)];
            List<StubbornProducer> stubborn = [.. led.Select(p => new StubbornProducer(victim, load.History, p, id: 1000 + (victim.NodeId * 100) + p))];
            await Task.WhenAll(stubborn.Select(static s => s.Begun));
            int ended = victim.Ended.Count;
            long moment = Stopwatch.GetTimestamp();
            victim.Pause();
            IReadOnlyList<TimeSpan> answered = await load.AnswerAgainAsync(led, moment);
            Output.WriteLine($"broker {victim.NodeId} paused: its {led.Length} partitions answered again after {answered.Min().TotalMilliseconds:0} to {answered.Max().TotalMilliseconds:0} ms");
            long resumed = Stopwatch.GetTimestamp();
            victim.Resume();
            EndedAlone end = await victim.EndsAloneAsync(ended);
            Output.WriteLine($"resumed, it ended by itself after {Stopwatch.GetElapsedTime(resumed).TotalMilliseconds:0} ms with {end.ExitCode}: {end.Sentence}");
            Assert.NotEqual(0, end.ExitCode);
            Assert.Contains("ostream-silo: ", end.Printed, StringComparison.Ordinal);
            await victim.AnswersAsync();
            await cluster.EvenAsync("paused");
            await clients.ProceedAsync(moment);
            foreach (StubbornProducer one in stubborn) await one.StopAsync();
            Output.WriteLine($"its producers were told after the pause: {string.Join(", ", stubborn.SelectMany(s => s.ToldAfter(resumed)).GroupBy(static t => t).Select(static g => $"{g.Key} ({g.Count()})"))}");
        }
        await load.CheckAsync();
        await clients.CheckAsync();
        Output.WriteLine($"{load.History.AcknowledgedCount} records acknowledged, all there, once and in order");
    }

    /// <summary>A producer that knows one broker only and asks nobody who leads; not idempotent, so that nothing but the cluster itself keeps its records apart.</summary>
    private sealed class StubbornProducer
    {
        private readonly SiloProcess _broker;
        private readonly TopicHistory _history;
        private readonly int _partition;
        private readonly int _id;
        private readonly CancellationTokenSource _stopping = new();
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Lock _lock = new();
        private readonly List<(long At, string What)> _told = [];
        private readonly Task _loop;

        public StubbornProducer(SiloProcess broker, TopicHistory history, int partition, int id)
        {
            (_broker, _history, _partition, _id) = (broker, history, partition, id);
            _loop = Task.Run(RunAsync);
        }

        /// <summary>Completes at its first acknowledgement.</summary>
        public Task Begun => _begun.Task;

        public IEnumerable<string> ToldAfter(long moment)
        {
            lock (_lock) return [.. _told.Where(t => t.At > moment).Select(static t => t.What)];
        }

        public async Task StopAsync()
        {
            await _stopping.CancelAsync();
            await _loop;
            _stopping.Dispose();
        }

        private async Task RunAsync()
        {
            KafkaConnection? connection = null;
            for (int index = 0; !_stopping.IsCancellationRequested; index++)
            {
                string what;
                try
                {
                    connection ??= await KafkaConnection.OpenAsync(_broker.Port);
                    var record = new Payload(_id, index);
                    KafkaRequests.ProduceAnswer answer = await connection.ProduceAsync(_history.Topic, _partition, RecordBatch.Build([record.ToRecord()]));
                    if (answer.Error == 0)
                    {
                        _history.Acknowledged(_partition, answer.BaseOffset, [record]);
                        _begun.TrySetResult();
                    }
                    what = answer.Error == 0 ? "acknowledged" : $"error {answer.Error}";
                }
                catch (Exception e) when (e is SocketException or IOException or TimeoutException)
                {
                    if (connection is not null) await connection.DisposeAsync();
                    connection = null;
                    what = "no answer";
                }
                lock (_lock) _told.Add((Stopwatch.GetTimestamp(), what));
                await Task.Delay(5);
            }
            if (connection is not null) await connection.DisposeAsync();
        }
    }
}
