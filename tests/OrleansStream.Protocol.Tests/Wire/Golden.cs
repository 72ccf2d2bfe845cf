using System.Buffers;
using System.Globalization;
using System.Reflection;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>One line of tests/golden/messages.txt: the bytes that Kafka's Java client wrote of a message.</summary>
internal sealed record Golden(string Message, short Version, string Fill, byte[] Bytes)
{
    private delegate IMessage Reader(ref KafkaReader r, short version);

    public static ILookup<string, Golden> All { get; } = File.ReadLines(Schemas.GoldenFile).Select(Parse).ToLookup(golden => golden.Message);

    public override string ToString() => $"{Message} v{Version} {Fill}";

    public static Func<ReadOnlySequence<byte>, short, IMessage> ReaderOf(string message)
    {
        MethodInfo read = Schemas.ClassOf(message).GetMethod("Read", BindingFlags.Public | BindingFlags.Static)!;
        var reader = read.CreateDelegate<Reader>();
        return (bytes, version) =>
        {
            var r = new KafkaReader(bytes);
            IMessage value = reader(ref r, version);
            r.ExpectEnd();
            return value;
        };
    }

    public static byte[] Write(IMessage message, short version)
    {
        using var w = new KafkaWriter(16);
        message.Write(w, version);
        var copy = new ArrayBufferWriter<byte>();
        w.CopyTo(copy);
        Assert.Equal(w.Length, copy.WrittenCount);
        return copy.WrittenSpan.ToArray();
    }

    private static Golden Parse(string line)
    {
        string[] words = line.Split(' ');
        return new Golden(words[0], short.Parse(words[1], CultureInfo.InvariantCulture), words[2], Convert.FromHexString(words[3]));
    }
}
