using System.Diagnostics;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Benchmarks.Load;

/// <summary>
/// Commits of consumers that do not wait for each one's answer: each connection has a group of its own and some requests in flight, each of them with the offset
/// of one partition. All groups have one coordinator, so that it is the coordinator that is measured.
/// </summary>
internal sealed record CommitLoad(BrokerClient Broker, BenchTopic Topic)
{
    /// <summary>Partitions of __consumer_offsets, by default in both brokers.</summary>
    private const int CoordinatorPartitions = 50;

    public int Connections { get; init; } = 16;
    public int InFlight { get; init; } = 8;
    public double WarmUpSeconds { get; init; } = 2;
    public double Seconds { get; init; } = 10;

    /// <summary>Goes on, unmeasured, until there have been so many.</summary>
    public int AtLeast { get; init; }

    /// <param name="PerSecond">Answered commits in a second, while it was measured.</param>
    public sealed record Result(double PerSecond, long Commits);

    private long _answered;
    private volatile bool _stop;
    private volatile Exception? _failure;

    public static IEnumerable<string> Groups()
    {
        for (int i = 0; ; i++)
        {
            string name = $"bench-{i}";
            int hash = 0;
            foreach (char c in name)
                hash = unchecked(31 * hash + c);
            if ((hash & int.MaxValue) % CoordinatorPartitions == 7)
                yield return name;
        }
    }

    public Result Run()
    {
        string[] groups = [.. Groups().Take(Connections)];
        Members.FindCoordinator(Broker, groups[0]);
        Thread[] threads = [.. groups.Select(g => new Thread(() => Guard(g)) { IsBackground = true })];
        foreach (Thread thread in threads)
            thread.Start();
        Sleep(WarmUpSeconds);
        long before = Interlocked.Read(ref _answered), start = Stopwatch.GetTimestamp();
        Sleep(Seconds);
        double perSecond = (Interlocked.Read(ref _answered) - before) / Stopwatch.GetElapsedTime(start).TotalSeconds;
        while (Interlocked.Read(ref _answered) < AtLeast && _failure is null)
            Thread.Sleep(10);
        _stop = true;
        foreach (Thread thread in threads)
            thread.Join();
        return _failure is null ? new Result(perSecond, _answered) : throw new InvalidOperationException("Committing failed: " + _failure.Message, _failure);
    }

    private void Sleep(double seconds)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds && _failure is null)
            Thread.Sleep(1);
    }

    private void Guard(string group)
    {
        try
        {
            Commit(group);
        }
        catch (Exception e)
        {
            _failure ??= e;
        }
    }

    private void Commit(string group)
    {
        short version = Broker.Version<OffsetCommitRequest>(9);
        using BrokerConnection connection = Broker.Connect();
        var partition = new OffsetCommitRequest.OffsetCommitRequestPartition { PartitionIndex = 0, CommittedOffset = 42, CommittedMetadata = "" };
        var request = new OffsetCommitRequest
        {
            GroupId = group, GenerationIdOrMemberEpoch = -1, Topics = [new() { Name = Topic.Name, Partitions = [partition] }],
        };
        byte[] frame = connection.Frame(request, version, 1);
        int under = 0;
        while (!_stop && _failure is null)
        {
            for (; under < InFlight; under++)
                connection.Send(frame);
            Answer();
        }
        while (under > 0)
            Answer();

        void Answer()
        {
            var answer = BrokerConnection.Read<OffsetCommitRequest, OffsetCommitResponse>(connection.Receive(), version);
            BrokerClient.Check((ErrorCode)answer.Topics[0].Partitions[0].ErrorCode, $"commit of {group}");
            under--;
            Interlocked.Increment(ref _answered);
        }
    }
}
