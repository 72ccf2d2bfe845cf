using OrleansStream.Broker.Groups;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Simulation;

/// <summary>Members of groups: they join, commit what they have, are away for a while, leave, and come again.</summary>
internal sealed class SimulatedMembers(GroupClients clients, string topic)
{
    private readonly GroupHistory _history = clients.History;

    /// <summary>A member of the consumer protocol (KIP-848).</summary>
    public async Task ConsumeAsync(string group, string member)
    {
        // Each with the step at which it was given.
        var (epoch, owned) = (0, new Dictionary<int, long>());
        while (!clients.Stopping)
        {
            var (asked, told) = (clients.World.Steps, (epoch, owned));
            var (error, answer, reigns) = await clients.AskAsync(group, clients.Any(), (engine, _) =>
            {
                var id = engine.Cluster.TopicsByName[topic].Id;
                var request = new ConsumerGroupHeartbeatRequest { GroupId = group, MemberId = member, MemberEpoch = told.epoch, TopicPartitions = [] };
                if (told.epoch == 0)
                {
                    (request.RebalanceTimeoutMs, request.SubscribedTopicNames) = (2_000, [topic]);
                }
                else if (told.owned.Count > 0)
                {
                    request.TopicPartitions.Add(new() { TopicId = id, Partitions = [.. told.owned.Keys] });
                }

                return clients.Groups(engine).HeartbeatAsync(GroupClients.Client with { Version = 1 }, request);
            });
            error = error != ErrorCode.None ? error : (ErrorCode)answer!.ErrorCode;
            if (error is ErrorCode.UnknownMemberId or ErrorCode.FencedMemberEpoch or ErrorCode.GroupIdNotFound)
            {
                (epoch, owned) = (0, []);
            }
            else if (error == ErrorCode.None)
            {
                epoch = answer!.MemberEpoch;
                if (answer.Assignment is { } assigned)
                {
                    owned = assigned.TopicPartitions.SelectMany(t => t.Partitions).ToDictionary(p => p, p => told.owned.GetValueOrDefault(p, clients.World.Steps));
                }

                foreach (var partition in owned.Keys)
                {
                    _history.Owns(group, epoch, partition, member, $"a heartbeat of {member}");
                }

                if (reigns.Exactly is { } reign)
                {
                    foreach (var (partition, given) in told.owned.Union(owned))
                    {
                        _history.Holds(group, reign, partition, member, given, asked);
                    }
                }

                await PauseAsync();
                await CommitAsync(group, [.. owned.Keys], member, epoch);
            }

            await PauseAsync();
        }
    }

    /// <summary>A member of the classic protocol: the leader gives out the partitions in turn.</summary>
    public async Task JoinAsync(string group)
    {
        var member = "";
        while (!clients.Stopping)
        {
            var id = member;
            var (error, joined, _) = await clients.AskAsync(group, clients.Any(), (engine, _) =>
            {
                var request = new JoinGroupRequest
                {
                    GroupId = group, MemberId = id, ProtocolType = "range-in-turn", SessionTimeoutMs = 1_000, RebalanceTimeoutMs = 2_000,
                };
                request.Protocols.Add(new() { Name = "in-turn", Metadata = [1] });
                return clients.Groups(engine).JoinAsync(GroupClients.Client, request);
            });
            error = error != ErrorCode.None ? error : (ErrorCode)joined!.ErrorCode;
            member = error switch
            {
                ErrorCode.None or ErrorCode.MemberIdRequired => joined!.MemberId,
                ErrorCode.UnknownMemberId => "",
                _ => member,
            };
            if (error == ErrorCode.None)
            {
                member = await StayAsync(group, joined!);
            }
            else if (error != ErrorCode.MemberIdRequired)
            {
                await PauseAsync();
            }
        }
    }

    /// <summary>Gets its assignment and works until the generation is over; answers the id to join again with.</summary>
    private async Task<string> StayAsync(string group, JoinGroupResponse joined)
    {
        var (member, generation) = (joined.MemberId, joined.GenerationId);
        var sync = new SyncGroupRequest { GroupId = group, MemberId = member, GenerationId = generation, ProtocolType = "range-in-turn", ProtocolName = "in-turn" };
        for (var i = 0; i < joined.Members.Count; i++)
        {
            sync.Assignments.Add(new()
            {
                MemberId = joined.Members[i].MemberId,
                Assignment = [.. Enumerable.Range(0, clients.Partitions).Where(p => p % joined.Members.Count == i).Select(p => (byte)p)],
            });
        }

        var (error, synced, reigns) = await SyncAsync();
        // It does not know where its coordinator is, and may come with this when another generation has begun.
        while (error is not (ErrorCode.None or ErrorCode.UnknownMemberId or ErrorCode.IllegalGeneration or ErrorCode.RebalanceInProgress) && !clients.Stopping)
        {
            await PauseAsync();
            (error, synced, reigns) = await SyncAsync();
        }

        if (error != ErrorCode.None)
        {
            return error == ErrorCode.UnknownMemberId ? "" : member;
        }

        if (reigns.Exactly is { } reign)
        {
            _history.Began(group, reign, generation);
        }

        List<int> owned = [.. synced!.Assignment.Select(p => (int)p)];
        foreach (var partition in owned)
        {
            _history.Owns(group, generation, partition, member, $"the assignment of {member}");
        }

        while (!clients.Stopping)
        {
            // The group may have gone on without it meanwhile, and whichever comes first is to tell it so.
            await PauseAsync();
            await CommitAsync(group, owned, member, generation);
            await PauseAsync();
            var request = new HeartbeatRequest { GroupId = group, MemberId = member, GenerationId = generation };
            var (failed, beat, _) = await clients.AskAsync(group, clients.Any(), (engine, _) => clients.Groups(engine).HeartbeatAsync(GroupClients.Client with { Version = 4 }, request));
            switch (failed != ErrorCode.None ? failed : (ErrorCode)beat!.ErrorCode)
            {
                case ErrorCode.RebalanceInProgress or ErrorCode.IllegalGeneration:
                    return member;
                case ErrorCode.UnknownMemberId:
                    return "";
                default:
                    // Whom it has asked does not coordinate its group, or not now.
                    break;
            }
        }

        return member;

        async Task<(ErrorCode, SyncGroupResponse?, GroupClients.Reigns)> SyncAsync()
        {
            var (failed, answer, under) = await clients.AskAsync(
                group, clients.Any(), (engine, _) => clients.Groups(engine).SyncAsync(GroupClients.Client with { Version = 5 }, sync));
            return (failed != ErrorCode.None ? failed : (ErrorCode)answer!.ErrorCode, answer, under);
        }
    }

    private async Task CommitAsync(string group, List<int> owned, string member, int generation)
    {
        if (owned.Count > 0)
        {
            var partition = owned[clients.World.Random.Next(owned.Count)];
            await clients.CommitAsync(group, partition, _history.Next(group, partition), member, generation);
        }
    }

    /// <summary>Now and then longer than a session.</summary>
    private Task PauseAsync() => clients.World.Script.Delay(clients.World.Chance(0.02) ? clients.World.Between(800, 2_500) : clients.World.Between(0, 120));
}
