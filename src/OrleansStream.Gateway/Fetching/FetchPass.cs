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
    private Dictionary<FetchPart, Task<PartitionLease>>? _opening;
    private FetchWaiter? _waiter;
    private Task<PartitionRead>?[]? _ahead;
    private bool _enough;
    private bool _nothingYet;

    /// <summary>One reading for each part of the turn; the caller disposes their reads.</summary>
    public async ValueTask<PartReading[]> RunAsync()
    {
        await ReadAllAsync();
        if (_enough || Limit <= TimeSpan.Zero)
            return _readings;

        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(context.Cancel, context.Gateway.Stopping);
        using var waiter = _waiter = new FetchWaiter();
        while (true)
        {
            waiter.Arm();
            ReleaseAll();
            await ReadAllAsync();
            TimeSpan left = Limit - context.Gateway.Time.GetElapsedTime(context.StartedAt);
            if (_enough || left <= TimeSpan.Zero || !await waiter.WaitAsync(left, context.Gateway.Time, cancel.Token))
                return _readings;
        }
    }

    /// <summary>
    /// How long the request may wait: as it says, but where all it could get is that a partition is not open yet, as long as any request waits for that.
    /// </summary>
    private TimeSpan Limit
    {
        get
        {
            TimeSpan own = TimeSpan.FromMilliseconds(Math.Max(0, request.MaxWaitMs));
            return _nothingYet && context.OpeningLimit > own ? context.OpeningLimit : own;
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
        _ahead = null;
        for (int i = 0; i < _readings.Length; i++)
        {
            // The first batch is given even where it is larger than every limit, or its reader could never go on (KIP-74).
            PartReading reading = await ReadAsync(i, room, atLeastOne: bytes == 0);
            _readings[i] = reading;
            bytes += reading.Bytes;
            room = (int)Math.Max(0, room - reading.Bytes);
            urgent |= (reading.Error != ErrorCode.None && _opening?.ContainsKey(reading.Part) != true) || reading.Read?.Diverging is not null;
        }
        _nothingYet = bytes == 0 && !urgent && _opening is { Count: > 0 };
        _enough = urgent || (bytes >= minBytes && !_nothingYet) || _readings.Length == 0;
    }

    private async ValueTask<PartReading> ReadAsync(int at, int room, bool atLeastOne)
    {
        FetchPart part = turn.Parts[at];
        (ErrorCode error, TopicPicture? topic, IPartition? partition) = Find(part);
        if (partition is null)
            return new PartReading(part, topic, error, null);
        // Before it is read: what changes from here on is not missed. It may be another object than the last time, if the partition was taken again.
        _waiter?.Watch(partition);
        PartitionRead? read = partition.IsHere ? null : await ReadAheadAsync(at, room, atLeastOne);
        read ??= await partition.ReadAsync(WishOf(part, room, atLeastOne), context.Cancel);
        return new PartReading(part, topic, read.Error, read);
    }

    private PartitionReadRequest WishOf(FetchPart part, int room, bool atLeastOne) => new(
        part.Offset, Math.Min(Math.Max(0, part.MaxBytes), room), atLeastOne, (IsolationLevel)request.IsolationLevel, part.CurrentLeaderEpoch, part.LastFetchedEpoch);

    /// <summary>
    /// Partitions that are led elsewhere are all asked at the first of them, each for its part of the room, so that a request waits for one answer and not for
    /// one after another. Null where that gave too little: then the partition is asked alone.
    /// </summary>
    private async ValueTask<PartitionRead?> ReadAheadAsync(int at, int room, bool atLeastOne)
    {
        if (_ahead is null)
        {
            _ahead = new Task<PartitionRead>?[_readings.Length];
            List<(int At, IPartition Partition)> elsewhere = [];
            for (int i = at; i < _readings.Length; i++)
            {
                if (Find(turn.Parts[i]).Partition is { IsHere: false } partition)
                    elsewhere.Add((i, partition));
            }
            foreach ((int i, IPartition partition) in elsewhere)
            {
                _waiter?.Watch(partition);
                _ahead[i] = partition.ReadAsync(WishOf(turn.Parts[i], room / elsewhere.Count, atLeastOne && i == at), context.Cancel).AsTask();
            }
        }
        if (_ahead[at] is not { } asked)
            return null;
        PartitionRead read = await asked;
        bool cutShort = read.Error == ErrorCode.None && read.Diverging is null && read.Records.IsEmpty && read.HighWatermark > turn.Parts[at].Offset;
        if (read.Records.Length <= room && !(cutShort && atLeastOne))
            return read;
        read.Dispose();
        return null;
    }

    private (ErrorCode Error, TopicPicture? Topic, IPartition? Partition) Find(FetchPart part)
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
        PartitionLease lease = Lease(part, topic);
        return (lease.Error, topic, lease.Error == ErrorCode.None ? lease.Partition : null);
    }

    /// <summary>
    /// The partition as it is now. One that is being opened is not waited for here, since the others may have data: should nothing else end the request before,
    /// it is the client's to come again.
    /// </summary>
    private PartitionLease Lease(FetchPart part, TopicPicture topic)
    {
        Task<PartitionLease>? opening = null;
        if (_opening?.Remove(part, out opening) != true || opening!.IsCompleted)
        {
            // What an opening came to is asked for anew: whoever opened it may have lost it since.
            ValueTask<PartitionLease> lease = context.Gateway.Engine.GetPartitionAsync(topic, part.Key.Partition, CancellationToken.None);
            if (lease.IsCompletedSuccessfully)
                return lease.Result;
            opening = lease.AsTask();
        }
        (_opening ??= [])[part] = opening;
        _waiter?.Watch(opening);
        return new PartitionLease(ErrorCode.NotLeaderOrFollower, null);
    }
}
