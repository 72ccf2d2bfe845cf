using System.Security.Cryptography;
using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Killed;

/// <summary>A batch that the broker acknowledged: its place, and the hash of each of its values.</summary>
internal readonly record struct Acknowledged(int Partition, long BaseOffset, string[] Hashes);

/// <summary>Everything that was acknowledged and, apart, what was sent without an answer: that may be in the log or not.</summary>
internal sealed class Ledger
{
    private readonly Lock _lock = new();
    private readonly List<Acknowledged> _acknowledged = [];
    private readonly HashSet<string> _unanswered = [];

    public int Count { get { lock (_lock) return _acknowledged.Sum(a => a.Hashes.Length); } }

    public void Sent(IEnumerable<string> hashes) { lock (_lock) _unanswered.UnionWith(hashes); }

    public void Acknowledge(Acknowledged batch)
    {
        lock (_lock)
        {
            _acknowledged.Add(batch);
            _unanswered.ExceptWith(batch.Hashes);
        }
    }

    public static string Hash(ReadOnlySpan<byte> value) => Convert.ToHexString(SHA256.HashData(value).AsSpan(0, 12));

    /// <summary>
    /// Every acknowledged record is at its offset, with its bytes; no record is there twice under one acknowledgement; what else is there was sent
    /// and never answered; offsets have no gap (I1, I2).
    /// </summary>
    public void Check(int partition, List<WireRecord> log)
    {
        lock (_lock)
        {
            for (var i = 0; i < log.Count; i++) Assert.True(log[i].Offset == i, $"partition {partition}: offset {log[i].Offset} at place {i}");
            var hashes = log.Select(r => Hash(r.Value!.Value.Span)).ToList();
            var owner = new bool[log.Count];
            foreach (var batch in _acknowledged.Where(a => a.Partition == partition))
            {
                for (var i = 0; i < batch.Hashes.Length; i++)
                {
                    var at = (int)batch.BaseOffset + i;
                    Assert.True(at < log.Count, $"partition {partition}: acknowledged offset {at} is beyond the end {log.Count}");
                    Assert.True(hashes[at] == batch.Hashes[i], $"partition {partition}: offset {at} holds other bytes than were acknowledged");
                    Assert.False(owner[at], $"partition {partition}: offset {at} was acknowledged twice");
                    owner[at] = true;
                }
            }
            for (var i = 0; i < log.Count; i++)
                Assert.True(owner[i] || _unanswered.Contains(hashes[i]), $"partition {partition}: offset {i} holds a record that nobody sent, or an acknowledged one again");
        }
    }
}
