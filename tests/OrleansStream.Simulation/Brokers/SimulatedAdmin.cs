using System.Buffers;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage;

namespace OrleansStream.Simulation;

/// <summary>
/// An administrator who makes and deletes a topic under one name again and again, deletes records, and changes the configuration (retention among it) of
/// the topic that the others write to. It asks any broker, and a request that was given up may still be carried out, much later.
/// </summary>
internal sealed class SimulatedAdmin(SimulationScheduler world, History history, SimulatedClients clients, string topic, int partitions)
{
    /// <summary>The name of the topic that comes and goes.</summary>
    public const string Passing = "passing";

    private static readonly (string Name, string[] Values)[] s_configs =
    [
        ("retention.bytes", ["-1", "100000", "200000"]),
        ("retention.ms", ["-1", "604800000"]),
        ("compression.type", ["producer", "gzip", "uncompressed", "lz4"]),
        ("message.timestamp.type", ["CreateTime", "LogAppendTime"]),
    ];

    private readonly Dictionary<string, Setting> _settings = s_configs.ToDictionary(c => c.Name, _ => new Setting());

    public bool Stopping { get; set; }
    public int Deletions { get; private set; }
    public int TopicsDeleted { get; private set; }
    public int Changes { get; private set; }

    public async Task ActAsync()
    {
        while (!Stopping)
        {
            switch (world.Random.Next(6))
            {
                case 0 or 1:
                    await DeleteRecordsAsync(world.Random.Next(partitions));
                    break;
                case 2:
                    await ChangeConfigAsync();
                    break;
                case 3:
                    await PassAsync();
                    break;
            }

            await world.Script.Delay(world.Between(50, 600));
        }
    }

    /// <summary>Holds what the last broker says against what was answered before.</summary>
    public async Task CheckAsync(SimulatedBroker broker)
    {
        var (error, entries) = await broker.Process!.CallAsync(() => broker.Engine!.Topics.DescribeConfigsAsync(ConfigResourceType.Topic, topic, null, default));
        if (error.Failed)
        {
            history.Broken("I1", null, $"the configuration of '{topic}' cannot be read: {error}");
        }

        foreach (var (name, setting) in _settings)
        {
            var value = entries.Single(e => e.Name == name).Value;
            if (setting.Confirmed is { } confirmed && value != confirmed && setting.UnderWay.GetValueOrDefault(value!) == 0)
            {
                history.Broken("I1", null, $"{name} of '{topic}' was set to {confirmed}, durably, and is {value}");
            }
        }

        history.Topics(Passing, broker.Engine!.Cluster.TopicsByName.TryGetValue(Passing, out var there) ? there.Id : null);
    }

    private async Task DeleteRecordsAsync(int index)
    {
        var (error, answer) = await clients.TryAsync(clients.Any(), topic, index, async partition =>
        {
            // -1 means all, as of when it is carried out, which may be later.
            var before = world.Chance(0.1) ? -1 : world.Random.NextInt64(partition.LogStartOffset, partition.HighWatermark + 1);
            history.Deleting(partition.Id, before);
            var deleted = await partition.DeleteRecordsAsync(before, default);
            return (partition.Id, Before: before, deleted.Error, deleted.LowWatermark);
        });
        if (error == ErrorCode.None && answer.Error == ErrorCode.None)
        {
            Deletions++;
            history.Deleted(answer.Id, answer.Before, answer.LowWatermark);
        }
    }

    private async Task ChangeConfigAsync()
    {
        var (name, values) = s_configs[world.Random.Next(s_configs.Length)];
        var value = values[world.Random.Next(values.Length)];
        if (name == "retention.bytes" && value != "-1")
        {
            history.Retaining(long.Parse(value, System.Globalization.CultureInfo.InvariantCulture));
        }

        var setting = _settings[name];
        setting.UnderWay[value] = setting.UnderWay.GetValueOrDefault(value) + 1;
        var (error, outcome) = await clients.AskAsync(clients.Any(), engine =>
            engine.Topics.AlterConfigsAsync(ConfigResourceType.Topic, topic, [new ConfigChange(name, ConfigOperation.Set, value)], false, default));
        if (error == ErrorCode.None && !outcome.Failed)
        {
            Changes++;
            setting.Confirmed = value;
            setting.UnderWay[value]--;
        }
    }

    /// <summary>Makes the passing topic, writes to it, and deletes it; or does only some of that.</summary>
    private async Task PassAsync()
    {
        var broker = clients.Any();
        var (error, made) = await clients.AskAsync(broker, engine =>
            engine.Topics.CreateAsync(new NewTopic(Passing, 1, 1, [], new Dictionary<string, string?>()), false, default));
        if (error == ErrorCode.None && !made!.Error.Failed)
        {
            history.TopicMade(Passing, made.Topic!.Id);
        }

        for (var i = world.Random.Next(4); i > 0; i--)
        {
            var values = clients.Values(world.Random.Next(1, 5));
            var batch = Batches.Build(-1, -1, world.Script.Ports.NowMilliseconds, values, world.Random.Next(0, 3000));
            var by = clients.Any();
            var (refused, answer) = await clients.TryAsync(by, Passing, 0, async partition =>
            {
                foreach (var value in values)
                {
                    history.Producing(partition.Id, value);
                }

                return (partition.Id, Result: await partition.AppendAsync(new ReadOnlySequence<byte>(batch), Acks.All, 11));
            });
            for (var k = 0; refused == ErrorCode.None && answer.Result.Error == ErrorCode.None && k < values.Length; k++)
            {
                history.Acknowledged(answer.Id, answer.Result.BaseOffset + k, values[k], by.Process!.Name);
            }
        }

        if (world.Chance(0.3))
        {
            return;
        }

        var deleter = clients.Any();
        var (gone, outcome) = await clients.AskAsync(deleter, async engine =>
        {
            if (!engine.Cluster.TopicsByName.TryGetValue(Passing, out var there))
            {
                return (Guid.Empty, new AdminError(ErrorCode.UnknownTopicOrPartition));
            }

            history.TopicGoes(there.Id);
            return (there.Id, await engine.Topics.DeleteAsync(there, default));
        });
        if (gone == ErrorCode.None && !outcome.Item2.Failed)
        {
            TopicsDeleted++;
            history.TopicGone(outcome.Item1);
        }
    }

    private sealed class Setting
    {
        public string? Confirmed { get; set; }

        /// <summary>How many requests for a value were given up: any of them may still be carried out.</summary>
        public Dictionary<string, int> UnderWay { get; } = [];
    }
}
