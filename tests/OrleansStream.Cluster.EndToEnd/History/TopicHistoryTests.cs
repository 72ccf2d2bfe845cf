using System.Buffers.Binary;
using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.History;

/// <summary>What must not happen is found when it does: each case is a sound history of one partition with one thing wrong.</summary>
public sealed class TopicHistoryTests
{
    private const int Producer = 7;
    private readonly TopicHistory _history = new("t", 1);

    [Fact]
    public void A_sound_history_violates_nothing()
    {
        _history.Orders(Producer);
        _history.Spreads(Producer, 4);
        _history.Acknowledged(0, 0, [Record(0), Record(1)]);
        Log(0, 0, 0, 1);
        _history.Served(0, 0, 2);
        Log(2, 1, 2, 3);
        _history.Served(0, 1, 4);
        _history.AcknowledgedSomewhere(0, Record(3));
        _history.Read(0, 3, Record(3), "kcat");
        _history.CheckOnly(4);
        Assert.Empty(_history.Violations);
    }

    [Fact]
    public void What_was_acknowledged_and_is_beyond_the_end() => Finds("acknowledged offset 2 is beyond the end 2", () =>
    {
        Log(0, 0, 0, 1);
        _history.Acknowledged(0, 2, [Record(2)]);
    }, 2);

    [Fact]
    public void What_was_acknowledged_and_is_nowhere() => Finds("is nowhere", () =>
    {
        Log(0, 0, 0, 1);
        _history.AcknowledgedSomewhere(0, Record(2));
    }, 2);

    [Fact]
    public void Another_content_than_was_acknowledged() => Finds("offset 1 has two contents", () =>
    {
        _history.Acknowledged(0, 1, [Record(5)]);
        Log(0, 0, 0, 1);
    }, 2);

    [Fact]
    public void Another_content_in_a_second_read() => Finds("offset 1 has two contents", () =>
    {
        Log(0, 0, 0, 1);
        _history.Read(0, 1, Record(2), "kcat");
    }, 2);

    [Fact]
    public void An_offset_that_was_acknowledged_twice() => Finds("offset 1 was acknowledged twice", () =>
    {
        Log(0, 0, 0, 1);
        _history.Acknowledged(0, 1, [Record(1)]);
        _history.Acknowledged(0, 1, [Record(1)]);
    }, 2);

    [Fact]
    public void A_record_that_is_there_twice() => Finds("is there twice", () => Log(0, 0, 0, 1, 1), 3);

    [Fact]
    public void A_record_that_is_missing_among_those_of_an_ordered_producer() => Finds("where 1 should follow", () =>
    {
        _history.Orders(Producer);
        Log(0, 0, 0, 2);
    }, 2);

    [Fact]
    public void Records_of_a_producer_of_all_partitions_that_changed_places() => Finds("after", () =>
    {
        _history.Spreads(Producer, 3);
        Log(0, 0, 0, 2, 1);
    }, 3);

    [Fact]
    public void Records_of_a_producer_of_all_partitions_that_are_missing_or_surplus() => Finds("without 1, and besides 3", () =>
    {
        _history.Spreads(Producer, 3);
        Log(0, 0, 0, 2, 3);
    }, 3);

    [Fact]
    public void A_gap_in_what_was_read() => Finds("offset 2 follows 0", () =>
    {
        Log(0, 0, 0);
        _history.Read(0, 1, Batch(2, 0, 1));
    }, 1);

    [Fact]
    public void An_offset_that_was_never_read() => Finds("offset 2 was never read", () => Log(0, 0, 0, 1), 3);

    [Fact]
    public void Bytes_that_nobody_sent() => Finds("what nobody sent", () =>
    {
        Log(0, 0, 0);
        _history.Read(0, 0, null, "kcat");
    }, 1);

    [Fact]
    public void An_offset_of_two_epochs() => Finds("has the epochs 0 and 1", () =>
    {
        Log(0, 0, 0);
        Log(0, 1, 0);
    }, 1);

    [Fact]
    public void Epochs_that_go_back_in_the_log() => Finds("has epoch 0 after 1", () =>
    {
        Log(0, 1, 0);
        Log(1, 0, 1);
    }, 2);

    [Fact]
    public void A_high_watermark_that_goes_back() => Finds("the high watermark went from 2", () =>
    {
        Log(0, 0, 0, 1);
        _history.Served(0, 0, 2);
        _history.Served(0, 0, 1);
    }, 2);

    [Fact]
    public void A_log_that_ends_below_its_high_watermark() => Finds("its high watermark was 3", () =>
    {
        Log(0, 0, 0, 1);
        _history.Served(0, 0, 3);
    }, 2);

    [Fact]
    public void An_epoch_that_serves_after_a_later_one() => Finds("served under epoch 0 after 1", () =>
    {
        Log(0, 0, 0);
        _history.Served(0, 1, 1);
        _history.Served(0, 0, 1);
    }, 1);

    [Fact]
    public void An_epoch_of_two_owners() => Finds("epoch 3 belongs to the brokers 1 and 2", () =>
    {
        Log(0, 0, 0);
        _history.Shown(View(leader: 1));
        _history.Shown(View(leader: 2));
    }, 1);

    private void Finds(string what, Action happens, long end)
    {
        happens();
        _history.CheckOnly(end);
        Assert.Contains(_history.Violations, v => v.Contains(what, StringComparison.Ordinal));
    }

    private void Log(long from, int epoch, params int[] numbers) => Assert.Equal(from + numbers.Length, _history.Read(0, from, Batch(from, epoch, numbers)));

    private static byte[] Batch(long from, int epoch, params int[] numbers)
    {
        byte[] batch = RecordBatch.Build([.. numbers.Select(static n => Record(n).ToRecord())]);
        BinaryPrimitives.WriteInt64BigEndian(batch, from);
        BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan(12), epoch);
        return batch;
    }

    private static Payload Record(int number) => new(Producer, number);

    private static ClusterView View(int leader) =>
        new(new Dictionary<int, int> { [leader] = 9092 }, leader, 0, [new ShownPartition(0, leader, 3)], [new ShownPartition(0, leader, 3)]);
}
