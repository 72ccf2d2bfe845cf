using System.Buffers;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Logs;
using OrleansStream.TestSupport;

namespace OrleansStream.Storage.Tests.Logs;

/// <summary>A store, journals, and processes that come and go over them.</summary>
internal sealed class LogRig(int seed = 1, bool shared = true)
{
    public TestPorts Ports { get; } = new(seed) { Scheduler = { EndsWaitsAtOnce = true } };
    public MemoryObjectStore Store { get; } = new();
    public FakeJournals Journals { get; } = new(new SeededRandom(seed + 1000), shared);
    public List<ArrayChunkSource> Chunks { get; } = [];
    public LogOptions Options { get; set; } = new() { MemoryBudgetBytes = 64 << 20, WarmBytes = 0, SealTargetBytes = 64 << 10, RetryMs = 1, MaxRetryMs = 2 };

    public static PartitionId Partition(int index) => new(new Guid(7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7), index);

    /// <summary>Starts a process.</summary>
    public async Task<LogHost> StartAsync()
    {
        var chunks = new ArrayChunkSource();
        Chunks.Add(chunks);
        var host = new LogHost(Ports.Runtime, Store, Journals, chunks, Options);
        await host.StartAsync(default);
        return host;
    }

    public static async Task<PartitionLog> OpenAsync(LogHost host, int index = 0, ILogState? state = null, LogConfig? config = null) =>
        await host.OpenAsync(Partition(index), state ?? new CountingState(), config ?? LogConfig.Default, default);

    /// <summary>Reads everything from an offset to the high watermark, as one array, in pieces of at most the given size.</summary>
    public static async Task<byte[]> ReadAllAsync(PartitionLog log, long from, int maxBytes = 1 << 20)
    {
        var all = new ArrayBufferWriter<byte>();
        var offset = from;
        while (offset < log.HighWatermark)
        {
            var read = await log.ReadAsync(offset, maxBytes, true, long.MaxValue, default);
            Assert.Equal(LogStatus.Ok, read.Status);
            Assert.False(read.Batches.IsEmpty, $"nothing at {offset} below {log.HighWatermark}");
            var rest = read.Batches;
            while (!rest.IsEmpty)
            {
                Assert.True(RecordBatchHeader.TryRead(rest, out var header));
                Assert.True(header.BaseOffset <= offset && header.LastOffset >= offset);
                offset = header.NextOffset;
                rest = rest.Slice(header.SizeInBytes);
            }
            foreach (var piece in read.Batches)
                all.Write(piece.Span);
            read.Hold?.Dispose();
        }
        return all.WrittenSpan.ToArray();
    }

    /// <summary>Waits until a condition holds that background work brings about.</summary>
    public async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; !condition(); i++)
        {
            if (i == 3000)
            {
                await Ports.Scheduler.DrainAsync().WaitAsync(TimeSpan.FromSeconds(5));
                Assert.Fail("waited in vain");
            }
            Ports.Time.Advance(TimeSpan.FromMilliseconds(20));
            await Task.Delay(1);
        }
    }
}

/// <summary>A log state that sees whether every record came exactly once and in order.</summary>
internal sealed class CountingState : ILogState
{
    public long Next { get; private set; }

    public void Apply(ReadOnlySpan<byte> batch)
    {
        var header = RecordBatchHeader.Read(batch);
        Assert.Equal(Next, header.BaseOffset);
        Next = header.NextOffset;
    }

    public byte[] Snapshot() => BitConverter.GetBytes(Next);

    public void Load(ReadOnlySpan<byte> snapshot) => Next = snapshot.IsEmpty ? 0 : BitConverter.ToInt64(snapshot);
}
