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
        var (epoch, owned) = (0, new List<int>());
        while (!clients.Stopping)
        {
            var sent = (epoch, owned: owned.ToList());
            var (error, answer, _) = await clients.AskAsync(group, clients.Any(), (engine, _) =>
            {
                var id = engine.Cluster.TopicsByName[topic].Id;
                var request = new ConsumerGroupHeartbeatRequest { GroupId = group, MemberId = member, MemberEpoch = sent.epoch, TopicPartitions = [] };
                if (sent.epoch == 0)
                {
                    (request.RebalanceTimeoutMs, request.SubscribedTopicNames) = (2_000, [topic]);
                }
                else if (sent.owned.Count > 0)
                {
                    request.TopicPartitions.Add(new() { TopicId = id, Partitions = [.. sent.owned] });
                }

                return engine.Groups.HeartbeatAsync(GroupClients.Client with { Version = 1 }, request);
            });
            error = error != ErrorCode.None ? error : (ErrorCode)answer!.ErrorCode;
            if (error is ErrorCode.UnknownMemberId or ErrorCode.FencedMemberEpoch or ErrorCode.GroupIdNotFound)
            {
                (epoch, owned) = (0, []);
            }
            else if (error == ErrorCode.None)
            {
                epoch = answer!.MemberEpoch;
                owned = answer.Assignment is { } assigned ? [.. assigned.TopicPartitions.SelectMany(t => t.Partitions)] : owned;
                foreach (var partition in owned)
                {
                    _history.Owns(group, epoch, partition, member, $"a heartbeat of {member}");
                }

                await CommitAsync(group, owned, member, epoch);
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
                return engine.Groups.JoinAsync(GroupClients.Client, request);
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

        var (error, synced, _) = await clients.AskAsync(group, clients.Any(), (engine, _) => engine.Groups.SyncAsync(GroupClients.Client with { Version = 5 }, sync));
        error = error != ErrorCode.None ? error : (ErrorCode)synced!.ErrorCode;
        if (error != ErrorCode.None)
        {
            return error == ErrorCode.UnknownMemberId ? "" : member;
        }

        List<int> owned = [.. synced!.Assignment.Select(p => (int)p)];
        foreach (var partition in owned)
        {
            _history.Owns(group, generation, partition, member, $"the assignment of {member}");
        }

        while (!clients.Stopping)
        {
            await CommitAsync(group, owned, member, generation);
            await PauseAsync();
            var request = new HeartbeatRequest { GroupId = group, MemberId = member, GenerationId = generation };
            var (failed, beat, _) = await clients.AskAsync(group, clients.Any(), (engine, _) => engine.Groups.HeartbeatAsync(GroupClients.Client with { Version = 4 }, request));
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
