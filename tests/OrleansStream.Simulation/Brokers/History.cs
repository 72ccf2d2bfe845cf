using OrleansStream.Simulation.Kit;
using OrleansStream.Storage;

namespace OrleansStream.Simulation;

/// <summary>One record as a reader saw it.</summary>
public readonly record struct SeenRecord(long Offset, long Value, int LeaderEpoch);

/// <summary>
/// All that clients were told, checked against the invariants of docs/architecture.md as it comes and once more at the end:
/// <list type="bullet">
/// <item>I1 an acknowledged record (acks=all) is readable at its offset with the same bytes; the idempotent producer's exactly once</item>
/// <item>I2 two reads of one offset never differ, and nothing is read that nobody produced</item>
/// <item>I3 the high watermark never goes back, within a leader epoch and from one to the next</item>
/// <item>I4 a leader epoch has one owner, and an older epoch makes nothing durable once a newer one serves</item>
/// <item>I5 is checked by <see cref="DeletionWatch"/></item>
/// </list>
/// </summary>
public sealed class History(SimulationScheduler world)
{
    private sealed class Reign(string owner, long firstWatermark)
    {
        public readonly string Owner = owner;
        public readonly long FirstWatermark = firstWatermark;
        public long Watermark = firstWatermark;
    }

    private sealed record Fact(long Value, string How);

    private sealed class PartitionHistory
    {
        public readonly Dictionary<long, Fact> Acknowledged = [];
        public readonly Dictionary<long, Fact> Read = [];
        public readonly HashSet<long> Produced = [];
        public readonly HashSet<long> OnceOnly = [];
        public readonly SortedDictionary<int, Reign> Reigns = [];
    }

    private readonly Dictionary<PartitionId, PartitionHistory> _partitions = [];

    public int Acknowledgements { get; private set; }
    public int Reads { get; private set; }
    public int Reigns => _partitions.Values.Sum(p => p.Reigns.Count);

    /// <summary>A value is about to be sent to a partition.</summary>
    public void Producing(PartitionId partition, long value) => Of(partition).Produced.Add(value);

    /// <summary>A process leads a partition under an epoch and shows this high watermark.</summary>
    public void Leads(PartitionId partition, int epoch, string owner, long watermark)
    {
        var history = Of(partition);
        if (!history.Reigns.TryGetValue(epoch, out var reign))
        {
            history.Reigns[epoch] = reign = new Reign(owner, watermark);
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

        reign.Watermark = watermark;
        foreach (var (other, rival) in history.Reigns)
        {
            var (older, newer) = other < epoch ? (rival, reign) : (reign, rival);
            if (other != epoch && older.Watermark > newer.FirstWatermark)
            {
                Broken("I3", partition, $"the high watermark was {older.Watermark} in an epoch of {older.Owner}, and {newer.FirstWatermark} "
                    + $"when {newer.Owner} served a newer one (epochs {Math.Min(other, epoch)} and {Math.Max(other, epoch)})");
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
        history.OnceOnly.Add(value);
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

    /// <summary>The whole log, read when all faults are over.</summary>
    public void Final(PartitionId partition, IReadOnlyList<SeenRecord> log, long watermark)
    {
        var history = Of(partition);
        var offset = 0L;
        var epoch = -1;
        var times = new Dictionary<long, int>();
        foreach (var record in log)
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
            Read(partition, record, watermark, "the final reader");
        }

        if (offset != watermark)
        {
            Broken("I1", partition, $"the log ends at {offset}, its high watermark is {watermark}");
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

        foreach (var value in history.OnceOnly)
        {
            if (times.GetValueOrDefault(value) != 1)
            {
                Broken("I1", partition, $"value {value} of an idempotent producer is there {times.GetValueOrDefault(value)} times");
            }
        }
    }

    public void Broken(string invariant, PartitionId? partition, string what) =>
        world.Fail($"{invariant} is broken{(partition is { } p ? $" in partition {p.Index}" : "")}: {what}");

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
