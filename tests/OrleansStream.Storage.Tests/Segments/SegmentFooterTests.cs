using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Segments;
using static OrleansStream.Storage.Tests.Segments.SegmentFixture;

namespace OrleansStream.Storage.Tests.Segments;

public sealed class SegmentFooterTests
{
    [Fact]
    public void The_bytes_of_a_small_object_do_not_change()
    {
        var run = new RunToSeal(Partition(2), 5, Sequence([Batch(7, 3, 80, leaderEpoch: 4, timestamp: 1_700_000_000_000)]), new byte[] { 0xAB, 0xCD });
        var made = SealedSegmentWriter.Build("x", Incarnation, [run]);
        var bytes = made.Content.ToArray();
        Assert.Equal("4F5354525345474D 0001 000000000000 11112222333344445555666677778888".Replace(" ", ""), Convert.ToHexString(bytes[..32]));
        Assert.Equal(
            "0000" // version
            + "AAAAAAAA000000000000000000000001" + "00000002" + "00000005" // partition, leader epoch
            + "0000000000000007" + "0000000000000009" + "0000000000000020" + "0000000000000050" // offsets, position, length
            + made.Runs[0].Crc.ToString("X8") + "0000018BCFE56800" + "0000018BCFE56800"
            + "1D" + "0000000000000000" + "0000000000000000" + "0000018BCFE56800" + Crc32C.Compute(bytes.AsSpan(32, 80)).ToString("X8")
            + "02" + "00000004" + "0000000000000007" + "00" // epochs
            + "03" + "ABCD" + "00",
            Convert.ToHexString(bytes.AsSpan((int)made.Runs[0].IndexPosition, made.Runs[0].IndexLength - 4)));
        Assert.Equal("4F5354525345474D", Convert.ToHexString(bytes[^8..]));
    }

    [Fact]
    public async Task A_tagged_field_of_a_later_program_is_skipped_and_a_later_version_is_refused()
    {
        using var f = new SegmentFixture();
        var run = await f.SealAsync([Batch(0), Batch(1)]);
        var stored = (await f.Store.ReadAsync(run.ObjectName, default))!.Content.ToArray();
        var index = stored.AsSpan((int)run.IndexPosition, run.IndexLength - 4).ToArray();

        // The last byte counts the tagged fields: none. One: tag 9, two bytes.
        var tagged = await StoreAsync([.. index[..^1], 1, 9, 2, 0xEE, 0xFF]);
        Assert.Equal(2, (await f.Reader.ReadIndexAsync(tagged, default)).LastOffset + 1);

        var newer = index.ToArray();
        BinaryPrimitives.WriteInt16BigEndian(newer, 77);
        var error = await Assert.ThrowsAsync<UnsupportedFormatException>(async () => await f.Reader.ReadIndexAsync(await StoreAsync(newer), default));
        Assert.Contains("77", error.Message);

        async Task<SealedRun> StoreAsync(byte[] message)
        {
            var crc = new byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(crc, Crc32C.Compute(message));
            var name = $"later/{message.Length}-{message[1]}";
            await f.Store.CreateAsync(name, new ReadOnlySequence<byte>([.. stored[..(int)run.IndexPosition], .. message, .. crc]), default);
            return run with { ObjectName = name, IndexLength = message.Length + 4 };
        }
    }
}
