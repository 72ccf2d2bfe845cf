using System.Buffers.Binary;
using OrleansStream.Storage;
using OrleansStream.Storage.Journals;

namespace OrleansStream.Simulation.Kit;

/// <summary>An entry that remembers how it ended. Its payload repeats a number, so that any mix-up of bytes shows.</summary>
public sealed class TestEntry : JournalEntry
{
    private readonly Action<TestEntry>? _completed;

    public TestEntry(PartitionId partition, int epoch, long baseOffset, int count, int bytes, Action<TestEntry>? completed = null)
    {
        Partition = partition;
        LeaderEpoch = epoch;
        BaseOffset = baseOffset;
        LastOffset = baseOffset + count - 1;
        var payload = new byte[bytes];
        for (var i = 0; i + 8 <= bytes; i += 8)
        {
            BinaryPrimitives.WriteInt64LittleEndian(payload.AsSpan(i), baseOffset * 1_000_003 + epoch + i);
        }

        Payload = payload;
        _completed = completed;
    }

    public JournalOutcome? Outcome { get; private set; }

    public override void Complete(JournalOutcome outcome)
    {
        if (Outcome is not null)
        {
            throw new InvalidOperationException($"{this} was completed twice");
        }

        Outcome = outcome;
        _completed?.Invoke(this);
    }

    public override string ToString() => $"{Partition.Index}/{LeaderEpoch}@{BaseOffset}-{LastOffset} ({Payload.Length} bytes): {Outcome?.ToString() ?? "waiting"}";
}

/// <summary>A replayed entry, copied.</summary>
public sealed record ReplayedCopy(PartitionId Partition, int LeaderEpoch, long BaseOffset, long LastOffset, byte[] Payload)
{
    public bool Is(JournalEntry entry) =>
        Partition == entry.Partition && LeaderEpoch == entry.LeaderEpoch && BaseOffset == entry.BaseOffset && LastOffset == entry.LastOffset
        && Payload.AsSpan().SequenceEqual(entry.Payload.Span);
}

/// <summary>Keeps what a replay hands over.</summary>
public sealed class ReplayList : IJournalReplay
{
    public List<ReplayedCopy> Entries { get; } = [];

    public void Entry(ReplayedEntry entry) =>
        Entries.Add(new ReplayedCopy(entry.Partition, entry.LeaderEpoch, entry.BaseOffset, entry.LastOffset, entry.Payload.ToArray()));
}
