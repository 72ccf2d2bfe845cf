using System.Diagnostics;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Benchmarks.Load;

/// <summary>
/// Members of groups of the classic protocol without the consumers. JoinGroup and SyncGroup hold their connection until the group has come together, so a member has a
/// thread and a connection of its own while it joins; afterwards heartbeats of many share one.
/// </summary>
internal sealed class ClassicMembers(BrokerClient broker, int groups, int ofEach)
{
    private const int Connections = 16;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Member[][] _groups =
        [.. Enumerable.Range(0, groups).Select(g => Enumerable.Range(0, ofEach).Select(_ => new Member($"classic-{ofEach}-{g}", ofEach)).ToArray())];
    private readonly short _heartbeat = broker.Version<HeartbeatRequest>(4);

    /// <summary>Joins the members of each group at once, a few groups at a time, until one generation has all of them and each has its assignment; answers the seconds.</summary>
    public double Converge()
    {
        Members.FindCoordinator(broker, "classic");
        short join = broker.Version<JoinGroupRequest>(7), sync = broker.Version<SyncGroupRequest>(5);
        long start = Stopwatch.GetTimestamp();
        int next = -1;
        MemberThreads.Run(Math.Min(Connections, groups), _ =>
        {
            for (int g; (g = Interlocked.Increment(ref next)) < groups;)
            {
                Member[] members = _groups[g];
                int whole = -1;
                MemberThreads.Run(members.Length, i =>
                {
                    using BrokerConnection connection = broker.Connect();
                    Member member = members[i];
                    member.Join(connection, join, sync, ref whole);
                    // As a consumer does: it works until a heartbeat says that others have come.
                    while (Volatile.Read(ref whole) != member.Generation)
                    {
                        if (Stopwatch.GetElapsedTime(start) > Patience)
                            throw new TimeoutException($"{members.Length} members have no common generation after {Patience}.");
                        if (member.Beat(connection, _heartbeat))
                            Thread.Sleep(20);
                        else
                            member.Join(connection, join, sync, ref whole);
                    }
                });
            }
        });
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Every member sends a heartbeat every <paramref name="intervalSeconds"/>, evenly spread.</summary>
    public void Beat(double seconds, double intervalSeconds)
    {
        Member[] all = [.. _groups.SelectMany(g => g)];
        long start = Stopwatch.GetTimestamp();
        MemberThreads.Run(Connections, c =>
        {
            using BrokerConnection connection = broker.Connect();
            Member[] members = [.. all.Where((_, i) => i % Connections == c)];
            for (int i = 0; i * intervalSeconds / members.Length <= seconds; i++)
            {
                double left = (i * intervalSeconds / members.Length) - Stopwatch.GetElapsedTime(start).TotalSeconds;
                if (left > 0.001)
                    Thread.Sleep(TimeSpan.FromSeconds(left));
                if (!members[i % members.Length].Beat(connection, _heartbeat))
                    throw new InvalidOperationException("A group rebalances, whose members are all there.");
            }
        });
    }

    private sealed class Member(string group, int ofEach)
    {
        private string _id = "";

        public int Generation { get; private set; } = -1;

        /// <summary>Joins and gets its assignment.</summary>
        /// <param name="whole">The generation that has all members, which the leader knows.</param>
        public void Join(BrokerConnection connection, short joinVersion, short syncVersion, ref int whole)
        {
            while (true)
            {
                var join = new JoinGroupRequest
                {
                    GroupId = group, MemberId = _id, ProtocolType = "consumer", SessionTimeoutMs = 300_000, RebalanceTimeoutMs = 300_000,
                };
                join.Protocols.Add(new() { Name = "range", Metadata = [0, 1] });
                var joined = connection.Call<JoinGroupRequest, JoinGroupResponse>(join, joinVersion);
                if ((ErrorCode)joined.ErrorCode is ErrorCode.MemberIdRequired or ErrorCode.CoordinatorLoadInProgress or ErrorCode.NotCoordinator)
                {
                    _id = joined.MemberId;
                    continue;
                }
                BrokerClient.Check((ErrorCode)joined.ErrorCode, $"JoinGroup of {group}");
                (_id, Generation) = (joined.MemberId, joined.GenerationId);
                var sync = new SyncGroupRequest { GroupId = group, MemberId = _id, GenerationId = Generation, ProtocolType = "consumer", ProtocolName = "range" };
                foreach (var member in joined.Members)
                    sync.Assignments.Add(new() { MemberId = member.MemberId, Assignment = [0, 1] });
                var synced = (ErrorCode)connection.Call<SyncGroupRequest, SyncGroupResponse>(sync, syncVersion).ErrorCode;
                if (synced == ErrorCode.RebalanceInProgress)
                    continue;
                BrokerClient.Check(synced, $"SyncGroup of {group}");
                if (joined.Members.Count == ofEach)
                    Volatile.Write(ref whole, Generation);
                return;
            }
        }

        /// <summary>Sends one heartbeat; false where the group rebalances.</summary>
        public bool Beat(BrokerConnection connection, short version)
        {
            var request = new HeartbeatRequest { GroupId = group, MemberId = _id, GenerationId = Generation };
            var error = (ErrorCode)connection.Call<HeartbeatRequest, HeartbeatResponse>(request, version).ErrorCode;
            if (error == ErrorCode.RebalanceInProgress)
                return false;
            BrokerClient.Check(error, $"Heartbeat of {group}");
            return true;
        }
    }
}
