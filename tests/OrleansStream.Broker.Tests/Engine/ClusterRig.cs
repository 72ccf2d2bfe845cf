using System.Buffers;
using System.Collections.Immutable;
using System.Text;
using OrleansStream.Broker.Cluster;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage;
using OrleansStream.Storage.Logs;
using OrleansStream.TestSupport;

namespace OrleansStream.Broker.Tests.Engine;

/// <summary>Several engines on one store, and the test in the place of the controller.</summary>
internal sealed class ClusterRig
{
    private ImmutableDictionary<Guid, ImmutableArray<PartitionPicture>> _topics = ImmutableDictionary<Guid, ImmutableArray<PartitionPicture>>.Empty;
    private readonly List<Member> _members = [];
    private long _version;

    public TestPorts Ports { get; } = new();
    public MemoryObjectStore Store { get; } = new();
    public FakeJournals Journals { get; } = new(new SeededRandom(1000), shared: true);
    public int ControllerId { get; set; } = 1;

    /// <summary>One broker and what its engine has told its host.</summary>
    internal sealed class Member : IEngineHost
    {
        public BrokerEngine Engine { get; set; } = null!;
        public required BrokerPicture Broker { get; init; }
        public List<string> Told { get; } = [];
        public TaskCompletionSource? Confirmation { get; set; }
        public int Confirmations { get; private set; }

        public void Opened(PartitionId partition, int leaderEpoch) => Note($"opened {partition.Index} in epoch {leaderEpoch}");

        public void SteppedDown(PartitionId partition, int leaderEpoch) => Note($"stepped down {partition.Index} in epoch {leaderEpoch}");

        public async ValueTask ConfirmAssignmentAsync(CancellationToken cancel)
        {
            Confirmations++;
            if (Confirmation is { } confirmation)
                await confirmation.Task.WaitAsync(cancel);
        }

        private void Note(string what)
        {
            lock (Told)
                Told.Add(what);
        }

        public async ValueTask<PartitionLease> GetAsync(string topic, int index = 0, CancellationToken cancel = default) =>
            await Engine.GetPartitionAsync(Engine.Cluster.TopicsByName[topic], index, cancel);
    }

    public async Task<Member> StartAsync(int nodeId, string? rack = null, Guid? owner = null)
    {
        var settings = BrokerSettingsParser.Parse([new("node.id", $"{nodeId}"), .. rack is null ? [] : new KeyValuePair<string, string>[] { new("broker.rack", rack) }]);
        var listeners = new Dictionary<string, AdvertisedAddress> { ["PLAINTEXT"] = new("localhost", 9092 + nodeId) };
        var member = new Member { Broker = new BrokerPicture(nodeId, rack, listeners) };
        member.Engine = await BrokerEngine.StartAsync(
            new EngineParts(Ports.Runtime, Store, Journals, new ArrayChunkSource(), settings.Settings)
            {
                Log = new LogOptions { MemoryBudgetBytes = 64 << 20, WarmBytes = 0, SealTargetBytes = 64 << 10, RetryMs = 1, MaxRetryMs = 2 },
                Host = member, Owner = owner ?? OwnerId.OfCluster("test"),
            },
            listeners, CancellationToken.None);
        _members.Add(member);
        return member;
    }

    /// <summary>A broker is no more: what was in its memory is lost.</summary>
    public async Task CrashAsync(Member member)
    {
        _members.Remove(member);
        await member.Engine.DisposeAsync();
    }

    /// <summary>Creates a topic at one broker and tells the others.</summary>
    public async Task<PartitionId> CreateAsync(Member at, string topic, int partitions = 1)
    {
        var picture = await EngineRig.CreateAsync(at.Engine, topic, partitions);
        foreach (var member in _members)
            await member.Engine.TopicsChangedAsync([topic], CancellationToken.None);
        return new PartitionId(picture.Id, 0);
    }

    /// <summary>Decides who leads the partitions of a topic (-1: nobody), and tells all brokers or some.</summary>
    public async Task AssignAsync(Guid topicId, int[] leaders, int epoch = -1, params Member[] only)
    {
        _topics = _topics.SetItem(topicId, [.. leaders.Select(l => new PartitionPicture(l, epoch))]);
        var assignment = new ClusterAssignment(++_version, ControllerId, [.. _members.Select(m => m.Broker)], _topics);
        foreach (var member in only.Length > 0 ? only : [.. _members])
        {
            member.Engine.Assign(assignment);
            await member.Engine.PublishedAsync();
        }
    }

    public async Task<AppendResult> AppendAsync(IPartition partition, string text)
    {
        using var builder = new RecordBatchBuilder();
        builder.Append(Ports.Runtime.NowMilliseconds, default, Encoding.UTF8.GetBytes(text), hasKey: false);
        return await partition.AppendAsync(new ReadOnlySequence<byte>(builder.Build()), Acks.All, 12);
    }

    public async Task<IPartition> LeadAsync(Member member, string topic, PartitionId id)
    {
        Assert.True(await member.Engine.LeadAsync(id, CancellationToken.None) >= 0);
        var lease = await member.GetAsync(topic, id.Index);
        Assert.Equal(ErrorCode.None, lease.Error);
        return lease.Partition!;
    }

    /// <summary>Waits until a condition holds that background work brings about; the clock goes on meanwhile.</summary>
    public async Task UntilAsync(Func<bool> condition, int stepMs = 20)
    {
        for (var i = 0; !condition(); i++)
        {
            Assert.True(i < 5000, "waited in vain");
            Ports.Time.Advance(TimeSpan.FromMilliseconds(stepMs));
            await Task.Delay(1);
        }
    }
}
