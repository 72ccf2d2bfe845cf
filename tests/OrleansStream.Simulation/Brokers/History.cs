using OrleansStream.Broker.Partitions;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage;

namespace OrleansStream.Simulation;

/// <summary>One record as a reader saw it.</summary>
public readonly record struct SeenRecord(long Offset, long Value, int LeaderEpoch);

/// <summary>A whole log as the last reader saw it.</summary>
public sealed record FinalLog(PartitionId Partition, IReadOnlyList<SeenRecord> Records, long Start, long Watermark, long SizeBytes);

/// <summary>
/// All that clients were told, checked against the invariants of docs/architecture.md as it comes and once more at the end:
/// <list type="bullet">
/// <item>I1 an acknowledged record (acks=all) is readable at its offset with the same bytes, the idempotent producer's exactly once, until retention or a
/// deletion removes it: the log begins where somebody asked for, or where retention could bring it, and what was said to be deleted stays so</item>
/// <item>I2 two reads of one offset never differ, and nothing is read that nobody produced</item>
/// <item>I3 the high watermark never goes back, within a leader epoch and from one to the next; nor does the log's start</item>
/// <item>I4 a leader epoch has one owner, and an older epoch makes nothing durable once a newer one serves</item>
/// <item>I5 is checked by <see cref="DeletionWatch"/></item>
/// </list>
/// </summary>
public sealed class History(SimulationScheduler world)
{
    private sealed class Reign(string owner, long firstWatermark, long firstStart)
    {
        public readonly string Owner = owner;
        public readonly long FirstWatermark = firstWatermark;
        public readonly long FirstStart = firstStart;
        public long Watermark = firstWatermark;
        public long Start = firstStart;
    }

    private sealed record Fact(long Value, string How);

    private sealed class PartitionHistory
    {
        public readonly Dictionary<long, Fact> Acknowledged = [];
        public readonly Dictionary<long, Fact> Read = [];
        public readonly HashSet<long> Produced = [];
        public readonly SortedDictionary<int, Reign> Reigns = [];
        public readonly Deletions Deletions = new();
    }

    private readonly Dictionary<PartitionId, PartitionHistory> _partitions = [];
    private readonly Dictionary<string, Guid> _made = [];
    private readonly HashSet<Guid> _doomed = [];
    private readonly HashSet<Guid> _gone = [];
    private long _retention = long.MaxValue;

    public int Acknowledgements { get; private set; }
    public int Reads { get; private set; }
    public int Reigns => _partitions.Values.Sum(p => p.Reigns.Count);

    /// <summary>A value is about to be sent to a partition.</summary>
    public void Producing(PartitionId partition, long value) => Of(partition).Produced.Add(value);

    /// <summary>A process leads a partition under an epoch and shows this high watermark.</summary>
    public void Leads(IPartition leader, string owner)
    {
        // The start first: it is never above a high watermark that is read later.
        var (partition, epoch, start, watermark) = (leader.Id, leader.LeaderEpoch, leader.LogStartOffset, leader.HighWatermark);
        var history = Of(partition);
        if (!history.Reigns.TryGetValue(epoch, out var reign))
        {
            history.Reigns[epoch] = reign = new Reign(owner, watermark, start);
            world.Logs.Add(world.NowTicks, "history", $"partition {partition.Index}: {owner} leads in epoch {epoch}, high watermark {watermark}");
        }

        if (reign.Owner != owner)
        {
            Broken("I4", partition, $"leader epoch {epoch} belongs to {reign.Owner} and to {owner}");
        }

        if (watermark < reign.Watermark)
        {
            Broken("I3", partition, $"the high watermark went from {reign.Watermark} back to {watermark} in leader epoch {epoch} of {owner}");
        }

        if (start < reign.Start || start > watermark)
        {
            Broken("I3", partition, $"the log's start went from {reign.Start} to {start} below {watermark} in leader epoch {epoch} of {owner}");
        }

        (reign.Watermark, reign.Start) = (watermark, start);
        foreach (var (other, rival) in history.Reigns)
        {
            var (older, newer) = other < epoch ? (rival, reign) : (reign, rival);
            if (other != epoch && older.Watermark > newer.FirstWatermark)
            {
                Broken("I3", partition, $"the high watermark was {older.Watermark} in an epoch of {older.Owner}, and {newer.FirstWatermark} "
                    + $"when {newer.Owner} served a newer one (epochs {Math.Min(other, epoch)} and {Math.Max(other, epoch)})");
            }

            if (other != epoch && older.Start > newer.FirstStart)
            {
                Broken("I3", partition, $"the log began at {older.Start} in an epoch of {older.Owner}, and at {newer.FirstStart} when {newer.Owner} served a newer one");
            }
        }
    }

    /// <summary>A record was acknowledged with acks=all.</summary>
    public void Acknowledged(PartitionId partition, long offset, long value, string by)
    {
        Acknowledgements++;
        var history = Of(partition);
        var fact = new Fact(value, $"acknowledged by {by} at {Now}");
        if (history.Acknowledged.TryGetValue(offset, out var before) && before.Value != value)
        {
            Broken("I1", partition, $"offset {offset} was acknowledged for {before} and for {fact}");
        }

        if (history.Read.TryGetValue(offset, out var read) && read.Value != value)
        {
            Broken("I1", partition, $"offset {offset} was {read} and then {fact}");
        }

        history.Acknowledged[offset] = fact;
    }

    /// <summary>A record was read below a high watermark.</summary>
    public void Read(PartitionId partition, SeenRecord record, long watermark, string by)
    {
        Reads++;
        var history = Of(partition);
        var fact = new Fact(record.Value, $"read from {by} at {Now} under leader epoch {record.LeaderEpoch}");
        if (record.Offset >= watermark)
        {
            Broken("I3", partition, $"offset {record.Offset}, {fact}, was readable above the high watermark {watermark}");
        }

        if (!history.Produced.Contains(record.Value))
        {
            Broken("I2", partition, $"offset {record.Offset} holds what nobody produced: {fact}");
        }

        if (history.Acknowledged.TryGetValue(record.Offset, out var acknowledged) && acknowledged.Value != record.Value)
        {
            Broken("I1", partition, $"offset {record.Offset} was {acknowledged} and then {fact}");
        }

        if (history.Read.TryGetValue(record.Offset, out var before) && before.Value != record.Value)
        {
            Broken("I2", partition, $"offset {record.Offset} was {before} and then {fact}");
        }

        history.Read[record.Offset] = fact;
        foreach (var (epoch, reign) in history.Reigns)
        {
            if (epoch > record.LeaderEpoch && record.Offset >= reign.FirstWatermark)
            {
                Broken("I4", partition, $"offset {record.Offset} became durable under leader epoch {record.LeaderEpoch}, though epoch {epoch} of {reign.Owner} "
                    + $"had begun to serve at {reign.FirstWatermark}");
            }
        }
    }

    /// <summary>Somebody asks that a partition begins at an offset; -1 at its high watermark.</summary>
    public void Deleting(PartitionId partition, long before) => Of(partition).Deletions.Asked(before);

    /// <summary>... and was told that it begins there.</summary>
    public void Deleted(PartitionId partition, long before, long start) => Of(partition).Deletions.Done(before, start);

    /// <summary>Retention may be asked to keep no more than this, from now on.</summary>
    public void Retaining(long bytes) => _retention = Math.Min(_retention, bytes);

    /// <summary>A topic was made under a name.</summary>
    public void TopicMade(string name, Guid id) => _made[name] = id;

    /// <summary>Somebody asks that a topic goes: nothing is promised of it any more.</summary>
    public void TopicGoes(Guid id) => _doomed.Add(id);

    /// <summary>... and was told that it went.</summary>
    public void TopicGone(Guid id) => _gone.Add(id);

    /// <summary>Whether somebody has asked that the topic goes.</summary>
    public bool IsDoomed(Guid id) => _doomed.Contains(id);

    /// <summary>The topics that are gone for certain.</summary>
    public IReadOnlyCollection<Guid> Gone => _gone;

    /// <summary>The topic that has a name in the end; null where none has.</summary>
    public void Topics(string name, Guid? there)
    {
        if (there is { } id && _gone.Contains(id))
        {
            Broken("I1", null, $"topic '{name}' ({id:N}) was deleted and is there again");
        }

        if (_made.TryGetValue(name, out var made) && !_doomed.Contains(made) && there != made)
        {
            Broken("I1", null, $"topic '{name}' ({made:N}), which nobody deleted, is lost");
        }
    }

    /// <summary>The whole log, read when all faults are over.</summary>
    public void Final(FinalLog log)
    {
        var partition = log.Partition;
        var history = Of(partition);
        if (history.Deletions.Fault(log, _retention) is { } fault)
        {
            Broken("I1", partition, fault);
        }

        var offset = log.Start;
        var epoch = -1;
        var times = new Dictionary<long, int>();
        foreach (var record in log.Records)
        {
            if (record.Offset != offset++)
            {
                Broken("I1", partition, $"offset {offset - 1} is missing: after it comes {record.Offset}");
            }

            if (record.LeaderEpoch < epoch)
            {
                Broken("I4", partition, $"leader epoch {record.LeaderEpoch} at offset {record.Offset} follows epoch {epoch}");
            }

            epoch = record.LeaderEpoch;
            times[record.Value] = times.GetValueOrDefault(record.Value) + 1;
            Read(partition, record, log.Watermark, "the final reader");
        }

        if (offset != log.Watermark)
        {
            Broken("I1", partition, $"the log ends at {offset}, its high watermark is {log.Watermark}");
        }

        foreach (var (at, fact) in history.Acknowledged)
        {
            if (at >= offset)
            {
                Broken("I1", partition, $"offset {at}, {fact}, is lost: the log ends at {offset}");
            }
        }

        foreach (var (at, fact) in history.Read)
        {
            if (at >= offset)
            {
                Broken("I2", partition, $"offset {at}, {fact}, is gone: the log ends at {offset}");
            }
        }

        foreach (var (at, fact) in history.Acknowledged)
        {
            // Once where it was acknowledged, or nowhere once that has been deleted.
            if (times.GetValueOrDefault(fact.Value) is var count && count != (at >= log.Start ? 1 : 0))
            {
                Broken("I1", partition, $"value {fact.Value} of an idempotent producer, acknowledged at {at}, is there {count} times");
            }
        }
    }

    /// <summary>Ends the run. Of a topic that somebody has asked to go, nothing is promised.</summary>
    public void Broken(string invariant, PartitionId? partition, string what)
    {
        if (partition is not { } p || !_doomed.Contains(p.TopicId))
        {
            world.Fail($"{invariant} is broken{(partition is { } of ? $" in partition {of.Index}" : "")}: {what}");
        }
    }

    private string Now => $"{TimeSpan.FromTicks(world.NowTicks)}";

    private PartitionHistory Of(PartitionId partition)
    {
        if (!_partitions.TryGetValue(partition, out var history))
        {
            _partitions[partition] = history = new PartitionHistory();
        }

        return history;
    }
}
