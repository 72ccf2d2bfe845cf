using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Broker.Topics;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Fetching;

/// <summary>What one partition gave in a pass: a read, or an error that came before it.</summary>
internal readonly record struct PartReading(FetchPart Part, TopicPicture? Topic, ErrorCode Error, PartitionRead? Read)
{
    public long Bytes => Read?.Records.Length ?? 0;
}

/// <summary>Reads the partitions of a Fetch, again and again until there is enough, an error, or no time left.</summary>
internal sealed class FetchPass(FetchTurn turn, FetchRequest request, RequestContext context)
{
    private readonly PartReading[] _readings = new PartReading[turn.Parts.Count];
    private readonly int _maxBytes = Math.Min(request.MaxBytes, context.Gateway.Options.MaxFetchBytes);
    private bool _enough;

    /// <summary>One reading for each part of the turn; the caller disposes their reads.</summary>
    public async ValueTask<PartReading[]> RunAsync()
    {
        await ReadAllAsync();
        if (_enough || request.MaxWaitMs <= 0)
            return _readings;

        TimeSpan wait = TimeSpan.FromMilliseconds(request.MaxWaitMs);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(context.Cancel, context.Gateway.Stopping);
        using var waiter = new FetchWaiter();
        await WatchAllAsync(waiter);
        while (true)
        {
            waiter.Arm();
            ReleaseAll();
            await ReadAllAsync();
            TimeSpan left = wait - context.Gateway.Time.GetElapsedTime(context.StartedAt);
            if (_enough || left <= TimeSpan.Zero || !await waiter.WaitAsync(left, context.Gateway.Time, cancel.Token))
                return _readings;
        }
    }

    public void ReleaseAll()
    {
        for (int i = 0; i < _readings.Length; i++)
        {
            _readings[i].Read?.Dispose();
            _readings[i] = default;
        }
    }

    private async ValueTask ReadAllAsync()
    {
        int minBytes = Math.Min(request.MinBytes, _maxBytes);
        int room = Math.Max(0, _maxBytes);
        long bytes = 0;
        bool urgent = false;
        for (int i = 0; i < _readings.Length; i++)
        {
            // The first batch is given even where it is larger than every limit, or its reader could never go on (KIP-74).
            PartReading reading = await ReadAsync(turn.Parts[i], room, atLeastOne: bytes == 0);
            _readings[i] = reading;
            bytes += reading.Bytes;
            room = (int)Math.Max(0, room - reading.Bytes);
            urgent |= reading.Error != ErrorCode.None || reading.Read?.Diverging is not null;
        }
        _enough = urgent || bytes >= minBytes || _readings.Length == 0;
    }

    private async ValueTask<PartReading> ReadAsync(FetchPart part, int room, bool atLeastOne)
    {
        (ErrorCode error, TopicPicture? topic, IPartition? partition) = await FindAsync(part);
        if (partition is null)
            return new PartReading(part, topic, error, null);
        var wish = new PartitionReadRequest(
            part.Offset, Math.Min(Math.Max(0, part.MaxBytes), room), atLeastOne, (IsolationLevel)request.IsolationLevel,
            part.CurrentLeaderEpoch, part.LastFetchedEpoch);
        PartitionRead read = await partition.ReadAsync(wish, context.Cancel);
        return new PartReading(part, topic, read.Error, read);
    }

    private async ValueTask WatchAllAsync(FetchWaiter waiter)
    {
        foreach (FetchPart part in turn.Parts)
        {
            (_, _, IPartition? partition) = await FindAsync(part);
            if (partition is not null)
                waiter.Watch(partition);
        }
    }

    private async ValueTask<(ErrorCode Error, TopicPicture? Topic, IPartition? Partition)> FindAsync(FetchPart part)
    {
        ClusterPicture cluster = context.Gateway.Engine.Cluster;
        TopicPicture? topic;
        if (context.Version >= FetchSessionCache.TopicIdVersion)
        {
            if (!cluster.TopicsById.TryGetValue(part.Key.TopicId, out topic))
                return (ErrorCode.UnknownTopicId, null, null);
        }
        else if (!cluster.TopicsByName.TryGetValue(part.Key.Topic, out topic))
        {
            return (ErrorCode.UnknownTopicOrPartition, null, null);
        }
        PartitionLease lease = await context.Gateway.Engine.GetPartitionAsync(topic, part.Key.Partition, context.Cancel);
        return (lease.Error, topic, lease.Error == ErrorCode.None ? lease.Partition : null);
    }
}
