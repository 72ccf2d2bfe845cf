using System.Text;

namespace OrleansStream.Protocol.Tests.Compression;

/// <summary>Inputs that make compressors take all of their ways, from a seed.</summary>
internal static class Contents
{
    public const int Kinds = 7;

    public static byte[] Make(int kind, int length, int seed)
    {
        var random = new Random(seed);
        var data = new byte[length];
        switch (kind)
        {
            case 0: // noise
                random.NextBytes(data);
                break;
            case 1: // one byte
                Array.Fill(data, (byte)random.Next(256));
                break;
            case 2: // words
                Repeat(data, () => Encoding.ASCII.GetBytes(Word(random) + " "));
                break;
            case 3: // documents that differ little
                int id = 0;
                Repeat(data, () => Encoding.UTF8.GetBytes($"{{\"id\":{id++},\"name\":\"{Word(random)}\",\"größe\":{random.Next(1000)},\"on\":true}}\n"));
                break;
            case 4: // few symbols, skewed
                for (int i = 0; i < length; i++)
                    data[i] = (byte)Math.Min(random.Next(256), Math.Min(random.Next(256), random.Next(20)));
                break;
            case 5: // a long period
                var period = new byte[Math.Max(1, Math.Min(length, 1 + random.Next(70_000)))];
                random.NextBytes(period);
                Repeat(data, () => period);
                break;
            default: // noise and runs in turn
                Repeat(data, () => random.Next(2) == 0 ? Make(0, 1 + random.Next(300), random.Next()) : Make(1, 1 + random.Next(3000), random.Next()));
                break;
        }
        return data;
    }

    private static string Word(Random random)
    {
        string[] words = ["the", "segment", "of", "a", "journal", "is", "sealed", "offset", "epoch", "and", "broker", "fetch", "record", "batch"];
        return words[Math.Min(random.Next(words.Length), random.Next(words.Length))];
    }

    private static void Repeat(byte[] data, Func<byte[]> next)
    {
        for (int at = 0; at < data.Length;)
        {
            byte[] part = next();
            int count = Math.Min(part.Length, data.Length - at);
            part.AsSpan(0, count).CopyTo(data.AsSpan(at));
            at += count;
        }
    }
}
