using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using OrleansStream.Broker.Configuration;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Storage;
using OrleansStream.Storage.Journals;
using OrleansStream.Storage.Logs;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// The partitions that are open here, or about to be: opened when they are first asked for, in the background, or because the host says so; taken again
/// when they have stepped down and are still this broker's; let go when they are released or their topic is deleted.
/// </summary>
internal sealed class PartitionSlots
{
    private readonly EngineParts _parts;
    private readonly RuntimePorts _ports;
    private readonly ILogger _log;
    private readonly Leadership _leadership;
    private readonly TopicCatalogue _catalogue;
    private readonly ConfigStore _configs;
    private readonly LogHost _host;
    private readonly OpenQueue _queue;
    private readonly CancellationToken _stopping;
    private readonly ConcurrentDictionary<PartitionId, PartitionSlot> _slots = new();

    public PartitionSlots(
        EngineParts parts, Leadership leadership, TopicCatalogue catalogue, ConfigStore configs, LogHost host, CancellationToken stopping)
    {
        _parts = parts;
        _ports = parts.Ports;
        _log = _ports.Logs.CreateLogger<PartitionSlots>();
        _leadership = leadership;
        _catalogue = catalogue;
        _configs = configs;
        _host = host;
        _stopping = stopping;
        _queue = new OpenQueue(_ports, parts.OpenWidth, OpenInBackgroundAsync, stopping);
    }

    /// <summary>Called with the topic's name when one of its partitions has another leader epoch.</summary>
    public required Action<string> EpochChanged { get; init; }

    /// <summary>Called with a sentence when a journal contradicts itself: the process must not go on.</summary>
    public required Action<string> Corrupt { get; init; }

    /// <summary>Whether this process may open partitions: not where somebody else serves the store.</summary>
    public required Func<ValueTask<bool>> MayOpenAsync { get; init; }

    /// <summary>Whether this process may take partitions again that have stepped down.</summary>
    public required Func<ValueTask<bool>> MayTakeAgainAsync { get; init; }

    public int Open => _slots.Values.Count(static s => s.Partition is not null);

    /// <summary>The partition that answers here, null where there is none.</summary>
    public Partition? Find(PartitionId id) => _slots.TryGetValue(id, out var slot) ? slot.Partition : null;

    public bool Has(PartitionId id) => _slots.ContainsKey(id);

    /// <summary>Completes when there is nothing more to open.</summary>
    public Task IdleAsync() => _queue.IdleAsync();

    public async ValueTask<PartitionLease> OpenAsync(string topic, PartitionId id, CancellationToken cancel)
    {
        if (_stopping.IsCancellationRequested)
            return new PartitionLease(ErrorCode.NotLeaderOrFollower, null);
        if (!Exists(topic, id))
            return new PartitionLease(ErrorCode.UnknownTopicOrPartition, null);
        if (!_leadership.IsMine(id))
            return new PartitionLease(ErrorCode.NotLeaderOrFollower, null);
        if (SlotOf(topic, id) is not { } slot)
            return new PartitionLease(ErrorCode.UnknownTopicOrPartition, null);
        var opening = slot.Join(_ports.NowMilliseconds, again: false, _leadership.MayOpen(id), out var begin);
        if (begin)
            _ports.Scheduler.Start("open partition", () => TryOpenAsync(slot));
        else if (!_leadership.IsMine(id))
            EndUnused(slot);
        return opening.IsCompleted ? opening.Result : await opening.Inline().WaitAsync(cancel);
    }

    /// <summary>Opens what may be opened of a topic, in the background.</summary>
    public void OpenAll(string name, Guid topicId, int partitions)
    {
        for (var i = 0; i < partitions; i++)
        {
            var id = new PartitionId(topicId, i);
            if (Find(id) is null && _leadership.MayOpen(id) && SlotOf(name, id) is { } slot)
                _queue.Add(slot, again: false);
        }
    }

    /// <summary>Opens a partition and keeps it open. Answers its leader epoch when it serves, -1 where it was released or its topic deleted before.</summary>
    public async ValueTask<int> LeadAsync(string topic, PartitionId id, CancellationToken cancel)
    {
        while (_leadership.MayOpen(id) && SlotOf(topic, id) is { } slot)
        {
            if (slot.IsEnding)
            {
                // It is being released: it is opened anew when that is over.
                await slot.Ended.Inline().WaitAsync(cancel);
                continue;
            }
            _queue.Add(slot, again: false);
            var epoch = await slot.Serving.Inline().WaitAsync(cancel);
            if (epoch >= 0)
                return epoch;
        }
        return -1;
    }

    /// <summary>Lets go of a partition in good order, so that the next leader has nothing to fence and nothing to replay.</summary>
    public async ValueTask ReleaseAsync(PartitionId id, CancellationToken cancel)
    {
        _leadership.Untell(id);
        if (!_slots.TryGetValue(id, out var slot))
            return;
        if (!slot.TryBeginEnd(ErrorCode.NotLeaderOrFollower, out var opening))
        {
            await slot.Ended.Inline().WaitAsync(cancel);
            return;
        }
        try
        {
            await opening;
            await _host.ReleaseAsync(id, cancel);
        }
        finally
        {
            End(slot);
        }
    }

    /// <summary>Lets go of a partition whose topic was deleted; its data is somebody else's business.</summary>
    public async ValueTask DropAsync(PartitionId id)
    {
        _leadership.Untell(id);
        if (!_slots.TryGetValue(id, out var slot))
            return;
        if (!slot.TryBeginEnd(ErrorCode.UnknownTopicOrPartition, out var opening))
        {
            await slot.Ended;
            return;
        }
        await opening;
        _host.Drop(id);
        End(slot);
    }

    /// <summary>The assignment is another one: who waits for a partition that will not be opened here is sent on.</summary>
    public void Reassigned()
    {
        foreach (var slot in _slots.Values)
        {
            if (!_leadership.IsMine(slot.Id))
                EndUnused(slot);
        }
    }

    public void Configure(TopicPicture topic)
    {
        for (var i = 0; i < topic.Partitions.Count; i++)
        {
            if (_slots.TryGetValue(new PartitionId(topic.Id, i), out var slot))
                slot.Configure(topic.Config, topic.ReplicationFactor);
        }
    }

    private bool Exists(string topic, PartitionId id) =>
        id.Index >= 0 && _catalogue.Find(topic) is { } live && live.Id == id.TopicId && id.Index < live.Partitions;

    /// <summary>The slot of a partition that exists; null for any other.</summary>
    private PartitionSlot? SlotOf(string topic, PartitionId id)
    {
        var slot = _slots.GetOrAdd(id, static (key, name) => new PartitionSlot(key, name), topic);
        // Looked at after the slot is there: a deletion that comes later finds the slot.
        if (Exists(topic, id))
            return slot;
        EndUnused(slot);
        return null;
    }

    private void EndUnused(PartitionSlot slot)
    {
        if (slot.TryBeginEnd(Exists(slot.Topic, slot.Id) ? ErrorCode.NotLeaderOrFollower : ErrorCode.UnknownTopicOrPartition, out _, onlyUnused: true))
            End(slot);
    }

    private void End(PartitionSlot slot)
    {
        _slots.TryRemove(new(slot.Id, slot));
        slot.End();
    }

    /// <summary>One try for the queue: how long to wait before the next, null when there is no more to do.</summary>
    private async Task<long?> OpenInBackgroundAsync(PartitionSlot slot, bool again)
    {
        if (again && !await MayTakeAgainAsync())
            return null;
        if (again && !slot.IsEnding && !_leadership.MayTakeAgain(slot.Id))
        {
            await ReleaseAsync(slot.Id, _stopping);
            return null;
        }
        if (!again && !_leadership.MayOpen(slot.Id))
            return null;
        var opening = slot.Join(_ports.NowMilliseconds, again, mayOpen: true, out var begin);
        if (begin)
            return await TryOpenAsync(slot);
        // Too soon after a failure, or somebody else is opening it: what that comes to is seen at the next look.
        return (await opening).Error == ErrorCode.KafkaStorageError ? 100 : null;
    }

    /// <summary>Opens the partition of a slot whose opening the caller began.</summary>
    private async Task<long?> TryOpenAsync(PartitionSlot slot)
    {
        try
        {
            if (_catalogue.Find(slot.Topic) is not { } topic || topic.Id != slot.Id.TopicId)
            {
                slot.Failed(ErrorCode.UnknownTopicOrPartition, _ports.NowMilliseconds);
                return null;
            }
            if (!await MayOpenAsync())
            {
                slot.Failed(ErrorCode.NotLeaderOrFollower, _ports.NowMilliseconds);
                return null;
            }
            var config = TopicConfigDefinitions.Build(topic.Configs, _configs.Settings.Layers);
            var options = new PartitionOptions { ProducerIdExpirationMs = () => _configs.Settings.ProducerIdExpirationMs };
            var partition = await Partition.OpenAsync(_host, _ports, slot.Id, config, topic.ReplicationFactor, options, _stopping);
            _parts.Host?.Opened(slot.Id, partition.LeaderEpoch);
            _ports.Scheduler.Start("watch partition", () => WatchAsync(slot, partition));
            slot.Opened(partition, config, topic.ReplicationFactor);
            // The picture shows its leader epoch; and a configuration that changed meanwhile is told to it then.
            EpochChanged(slot.Topic);
            return null;
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            slot.Failed(ErrorCode.NotLeaderOrFollower, _ports.NowMilliseconds);
            return null;
        }
        catch (Exception e) when (e is JournalCorruptException or UnsupportedFormatException)
        {
            Corrupt(e.Message);
            return slot.Failed(ErrorCode.KafkaStorageError, _ports.NowMilliseconds);
        }
        catch (IOException e)
        {
            _log.LogWarning("Partition {Topic}-{Index} cannot be opened now: {Reason}", slot.Topic, slot.Id.Index, e.Message);
            return slot.Failed(ErrorCode.KafkaStorageError, _ports.NowMilliseconds);
        }
    }

    private async Task WatchAsync(PartitionSlot slot, Partition partition)
    {
        await partition.SteppedDown;
        if (_stopping.IsCancellationRequested)
            return;
        _parts.Host?.SteppedDown(slot.Id, partition.LeaderEpoch);
        if (!slot.IsEnding)
            _queue.Add(slot, again: true);
    }
}
