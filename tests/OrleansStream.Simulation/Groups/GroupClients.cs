using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Groups;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using OrleansStream.Simulation.Kit;

namespace OrleansStream.Simulation;

/// <summary>
/// Clients of groups, who find coordinators by trial and error. A call is waited for until it is answered or its process has died: who gives up earlier and
/// commits the next offset elsewhere has put the two out of order himself.
/// </summary>
/// <param name="mutation">What is broken on purpose.</param>
internal sealed class GroupClients(
    SimulationScheduler world, GroupHistory history, IReadOnlyList<SimulatedBroker> brokers, string topic, int partitions, Mutation? mutation = null)
{
    /// <summary>The leader epochs, from one to another, under one of which a request was answered.</summary>
    public readonly record struct Reigns(int Oldest, int Newest)
    {
        /// <summary>Which it was, where that is known.</summary>
        public int? Exactly => Oldest == Newest ? Oldest : null;
    }

    public static GroupClient Client { get; } = new(9, "simulated", "/127.0.0.1");

    public bool Stopping { get; set; }

    public GroupHistory History => history;
    public SimulationScheduler World => world;
    public int Partitions => partitions;

    /// <summary>A consumer without a group's membership: commits one partition's offset, again and again.</summary>
    public async Task CommitAloneAsync(string group, int partition)
    {
        while (!Stopping)
        {
            var offset = history.Next(group, partition);
            while (await CommitAsync(group, partition, offset, "", -1) != ErrorCode.None && !Stopping)
            {
                await world.Script.Delay(world.Between(0, 80));
            }

            await world.Script.Delay(world.Between(0, 60));
        }
    }

    /// <summary>Looks at the committed offsets of a group.</summary>
    public async Task LookAsync(string group)
    {
        while (!Stopping)
        {
            await LookOnceAsync(group, Any());
            await world.Script.Delay(world.Between(0, 80));
        }
    }

    /// <summary>True where the broker answered for all of the group's partitions.</summary>
    public async Task<bool> LookOnceAsync(string group, SimulatedBroker broker)
    {
        var name = broker.Process?.Name;
        var floors = new (long, long)[partitions];
        var (error, answer, reigns) = await AskAsync(group, broker, (engine, first) =>
        {
            for (var i = 0; i < partitions; i++)
            {
                floors[i] = history.Floor(group, i, first);
            }

            return Groups(engine).FetchOffsetsAsync(
                new() { GroupId = group, MemberEpoch = -1, Topics = [new() { Name = topic, PartitionIndexes = [.. Enumerable.Range(0, partitions)] }] }, requireStable: true);
        });
        if (error != ErrorCode.None || answer is not { ErrorCode: 0 })
        {
            return false;
        }

        foreach (var shown in answer.Topics[0].Partitions)
        {
            history.Saw(group, shown.PartitionIndex, shown.CommittedOffset, floors[shown.PartitionIndex], reigns.Newest, $"{name}, at most in leader epoch {reigns.Newest},");
        }

        return true;
    }

    public async Task<ErrorCode> CommitAsync(string group, int partition, long offset, string member, int generation)
    {
        var known = -1;
        var (error, answer, reigns) = await AskAsync(group, Any(), async (engine, first) =>
        {
            known = history.Generation(group, first);
            var request = new OffsetCommitRequest { GroupId = group, MemberId = member, GenerationIdOrMemberEpoch = generation };
            request.Topics.Add(new() { Name = topic, TopicId = engine.Cluster.TopicsByName[topic].Id });
            request.Topics[0].Partitions.Add(new() { PartitionIndex = partition, CommittedOffset = offset, CommittedMetadata = "" });
            return await await Groups(engine).BeginCommitAsync(Client, request);
        });
        error = error != ErrorCode.None ? error : (ErrorCode)answer!.Topics[0].Partitions[0].ErrorCode;
        if (error == ErrorCode.None)
        {
            if (generation >= 0 && reigns.Exactly is not null)
            {
                history.Took(group, generation, known, member);
            }

            history.Acknowledged(group, partition, offset, reigns.Newest);
        }

        return error;
    }

    /// <summary>
    /// One request about a group, in the broker's process: what it answered, and the leader epochs under which that can have been. The call is told the oldest one.
    /// </summary>
    public async Task<(ErrorCode Error, T? Answer, Reigns Reigns)> AskAsync<T>(string group, SimulatedBroker broker, Func<BrokerEngine, int, ValueTask<T>> call)
    {
        if (broker.Engine is not { } engine || broker.Process is not { Alive: true } process)
        {
            return (ErrorCode.BrokerNotAvailable, default, default);
        }

        try
        {
            return await process.CallAsync<(ErrorCode, T?, Reigns)>(async () =>
            {
                if (!engine.Cluster.TopicsByName.ContainsKey(topic) || engine.GroupAdmin.PartitionOf(group) is not { } id)
                {
                    return (ErrorCode.NotCoordinator, default, default);
                }

                var offsets = engine.Cluster.TopicsById[id.TopicId];
                var before = await engine.GetPartitionAsync(offsets, id.Index, default);
                if (before.Partition is not { } first)
                {
                    return (before.Error, default, default);
                }

                // The coordinator is this partition's, or that of one that was opened after it.
                var answer = await call(engine, first.LeaderEpoch);
                var after = engine.GetPartitionAsync(offsets, id.Index, default);
                var newest = after.IsCompletedSuccessfully && after.Result.Partition is { } last ? last.LeaderEpoch : int.MaxValue;
                return (ErrorCode.None, answer, new Reigns(first.LeaderEpoch, newest));
            });
        }
        catch (ProcessCrashedException)
        {
            return (ErrorCode.NetworkException, default, default);
        }
    }

    public IGroupCoordinator Groups(BrokerEngine engine) => mutation?.Groups(engine.Groups) ?? engine.Groups;

    public SimulatedBroker Any() => brokers[world.Random.Next(brokers.Count)];
}
