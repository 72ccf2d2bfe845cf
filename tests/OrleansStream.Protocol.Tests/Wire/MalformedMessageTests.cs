using System.Buffers;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>
/// Damaged bytes either parse as something or are refused by a ProtocolException, and never make us allocate out of proportion. Every version's
/// filled message is cut at every length, and damaged at random places, from a seed.
/// </summary>
public class MalformedMessageTests
{
    private const int DamagesEach = 60;

    public static TheoryData<string> Names { get; } = [.. Schemas.Messages.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_message_cut_short_is_refused(string name)
    {
        var read = Golden.ReaderOf(name);
        foreach (Golden golden in Golden.All[name].Where(g => g.Fill == "filled"))
        {
            for (int length = 0; length < golden.Bytes.Length; length++)
            {
                // The last fields of some messages can only be missed together with what the frame's end says, so every cut must be seen.
                Assert.False(Parses(read, golden, golden.Bytes[..length]), $"{golden} was read from {length} of {golden.Bytes.Length} bytes");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_damaged_message_is_read_or_refused(string name)
    {
        var read = Golden.ReaderOf(name);
        int seed = name.Aggregate(17, (sum, c) => unchecked(sum * 31 + c));
        var random = new Random(seed);
        foreach (Golden golden in Golden.All[name].Where(g => g.Bytes.Length > 0))
        {
            for (int i = 0; i < DamagesEach; i++)
            {
                byte[] damaged = [.. golden.Bytes];
                for (int n = random.Next(1, 4); n > 0; n--)
                    damaged[random.Next(damaged.Length)] = random.Next(3) switch { 0 => 0xff, 1 => 0x7f, _ => (byte)random.Next(256) };
                Parses(read, golden, damaged);
            }
        }
    }

    private static bool Parses(Func<ReadOnlySequence<byte>, short, IMessage> read, Golden golden, byte[] bytes)
    {
        var frame = new ReadOnlySequence<byte>(bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            read(frame, golden.Version);
            return true;
        }
        catch (ProtocolException)
        {
            return false;
        }
        finally
        {
            // An exception and its trace take some KiB, a list that lied about its count at most 8 KiB for each level of nesting.
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < 128 * 1024 + 200 * bytes.Length, $"{golden}: {allocated} bytes allocated for {bytes.Length}");
        }
    }
}
