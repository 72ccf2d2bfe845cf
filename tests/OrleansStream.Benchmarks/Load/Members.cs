using System.Diagnostics;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Benchmarks.Load;

/// <summary>
/// Members of consumer groups (KIP-848) without the consumers: they join, give up what they are told to, and send heartbeats. Many share a connection, so that the
/// client costs little; the broker takes the requests of a connection one after the other.
/// </summary>
internal sealed class Members(BrokerClient broker, BenchTopic topic, int groups, int ofEach, int connections = 16)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Member[][] _members =
        [.. Enumerable.Range(0, connections).Select(c => Enumerable.Range(0, groups * ofEach).Where(i => i % connections == c)
            .Select(i => new Member($"members-{i % groups}", Guid.NewGuid().ToString(), topic)).ToArray())];
    private readonly short _version = broker.Version<ConsumerGroupHeartbeatRequest>(1);

    /// <summary>Joins all members and sends heartbeats until every member has its share and nobody is told anything new; answers the seconds.</summary>
    public double Converge()
    {
        FindCoordinator(broker, "members-0");
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            int changes = 0;
            All((connection, member) =>
            {
                if (member.Beat(connection, _version))
                    Interlocked.Increment(ref changes);
            });
            int owned = _members.Sum(ms => ms.Sum(m => m.Owned));
            int least = topic.Partitions / ofEach, most = least + (topic.Partitions % ofEach == 0 ? 0 : 1);
            if (changes == 0 && owned == groups * topic.Partitions && Array.TrueForAll(_members, ms => Array.TrueForAll(ms, m => m.Owned >= least && m.Owned <= most)))
                return Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (Stopwatch.GetElapsedTime(start) > Patience)
                throw new TimeoutException($"{owned} of {groups * topic.Partitions} partitions are assigned after {Patience}.");
        }
    }

    /// <summary>Every member sends a heartbeat every <paramref name="intervalSeconds"/>, evenly spread.</summary>
    public void Beat(double seconds, double intervalSeconds)
    {
        long start = Stopwatch.GetTimestamp();
        Each(members =>
        {
            using BrokerConnection connection = broker.Connect();
            for (int i = 0; ; i++)
            {
                double due = i * intervalSeconds / members.Length;
                if (due > seconds)
                    return;
                double left = due - Stopwatch.GetElapsedTime(start).TotalSeconds;
                if (left > 0.001)
                    Thread.Sleep(TimeSpan.FromSeconds(left));
                members[i % members.Length].Beat(connection, _version);
            }
        });
    }

    /// <summary>Makes __consumer_offsets, where it is not there yet, and waits until the group has a coordinator.</summary>
    public static void FindCoordinator(BrokerClient broker, string group)
    {
        using BrokerConnection connection = broker.Connect();
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            var answer = connection.Call<FindCoordinatorRequest, FindCoordinatorResponse>(new() { CoordinatorKeys = { group } }, 4);
            if (answer.Coordinators[0].ErrorCode == 0 && Offset(connection, group) is not null)
                return;
            if (Stopwatch.GetElapsedTime(start) > Patience)
                throw new TimeoutException($"{group} has no coordinator after {Patience}: {(ErrorCode)answer.Coordinators[0].ErrorCode}.");
            Thread.Sleep(1);
        }
    }

    /// <summary>Whether the group's coordinator answers OffsetFetch: how many partitions have an offset; null where it is not there yet.</summary>
    private static int? Offset(BrokerConnection connection, string group)
    {
        var answer = connection.Call<OffsetFetchRequest, OffsetFetchResponse>(
            new() { Groups = { new() { GroupId = group, Topics = null, MemberEpoch = -1 } } }, 9).Groups[0];
        return answer.ErrorCode == 0 ? answer.Topics.Sum(t => t.Partitions.Count) : null;
    }

    private void All(Action<BrokerConnection, Member> visit) => Each(members =>
    {
        using BrokerConnection connection = broker.Connect();
        foreach (Member member in members)
            visit(connection, member);
    });

    private void Each(Action<Member[]> run)
    {
        Member[][] some = [.. _members.Where(m => m.Length > 0)];
        MemberThreads.Run(some.Length, i => run(some[i]));
    }

    private sealed class Member(string group, string id, BenchTopic topic)
    {
        private int _epoch;
        private int[] _owned = [];
        private bool _tell = true;

        public int Owned => _owned.Length;

        /// <summary>Sends one heartbeat; whether the answer told anything new.</summary>
        public bool Beat(BrokerConnection connection, short version)
        {
            var request = new ConsumerGroupHeartbeatRequest { GroupId = group, MemberId = id, MemberEpoch = _epoch };
            if (_epoch == 0)
                (request.RebalanceTimeoutMs, request.SubscribedTopicNames) = (300_000, [topic.Name]);
            if (_tell)
                request.TopicPartitions = _owned.Length == 0 ? [] : [new() { TopicId = topic.Id, Partitions = _owned }];
            var answer = connection.Call<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(request, version);
            switch ((ErrorCode)answer.ErrorCode)
            {
                case ErrorCode.None:
                    break;
                // A coordinator that was just made still loads.
                case ErrorCode.CoordinatorLoadInProgress or ErrorCode.NotCoordinator or ErrorCode.CoordinatorNotAvailable when _epoch == 0:
                    return true;
                default:
                    throw new InvalidOperationException($"{(ErrorCode)answer.ErrorCode}: {answer.ErrorMessage}");
            }
            bool changed = _epoch != answer.MemberEpoch || answer.Assignment is not null;
            _epoch = answer.MemberEpoch;
            _tell = answer.Assignment is not null;
            if (answer.Assignment is { } assignment)
                _owned = [.. assignment.TopicPartitions.SelectMany(t => t.Partitions)];
            return changed;
        }
    }
}
