using System.Diagnostics;
using OrleansStream.Benchmarks.Brokers;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Benchmarks.Load;

namespace OrleansStream.Benchmarks.Comparison;

/// <summary>What is done with one broker's consumer groups in one round, beginning with an empty folder and leaving none.</summary>
internal sealed class GroupRounds(Plan plan, Measurements measurements)
{
    private const double BeatIntervalSeconds = 3;

    public void Run(BrokerProcess broker)
    {
        using (broker)
        {
            broker.Start();
            BenchTopic topic = broker.Client.CreateTopic("committed", 1);
            CommitLoad.Result commits = new CommitLoad(broker.Client, topic) { Seconds = plan.GroupSeconds, AtLeast = plan.GroupCommits }.Run();
            measurements.Add(broker.Name, Figures.Commits, commits.PerSecond);
            broker.Stop();
            broker.Start();
            long start = Stopwatch.GetTimestamp();
            Members.FindCoordinator(broker.Client, CommitLoad.Groups().First());
            measurements.Add(broker.Name, Figures.GroupLoad, Stopwatch.GetElapsedTime(start).TotalSeconds);

            measurements.Add(broker.Name, Figures.Converge, new Members(broker.Client, broker.Client.CreateTopic("large", 500), 1, 500).Converge());

            var fleet = new Members(broker.Client, broker.Client.CreateTopic("small", 12), 1000, 3);
            fleet.Converge();
            Beat(broker, Figures.GroupCpu, fleet.Beat);

            measurements.Add(broker.Name, Figures.ClassicConverge, new ClassicMembers(broker.Client, 1, 500).Converge());
            var classic = new ClassicMembers(broker.Client, 1000, 3);
            classic.Converge();
            Beat(broker, Figures.ClassicCpu, classic.Beat);
        }
    }

    private void Beat(BrokerProcess broker, Figure figure, Action<double, double> beat)
    {
        double cpu = broker.CpuSeconds();
        beat(plan.GroupSeconds, BeatIntervalSeconds);
        measurements.Add(broker.Name, figure, (broker.CpuSeconds() - cpu) / plan.GroupSeconds);
    }
}
