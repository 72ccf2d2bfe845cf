using System.Buffers;
using OrleansStream.Broker.Engine;
using OrleansStream.Broker.Partitions;
using OrleansStream.Protocol;
using OrleansStream.Simulation.Kit;
using OrleansStream.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation;

/// <summary>Producers and readers, who know brokers by trial and error, as clients with stale metadata do.</summary>
internal sealed class SimulatedClients(SimulationScheduler world, History history, IReadOnlyList<SimulatedBroker> brokers, string topic, int partitions)
{
    private const int BatchesInFlight = 3;
    private long _nextValue;

    public bool Stopping { get; set; }

    private sealed record Batch(int BaseSequence, long[] Values, byte[] Bytes);

    /// <summary>
    /// An idempotent producer of one partition, acks=all: several batches in flight, each sent again, in order, to any broker, until it is acknowledged.
    /// </summary>
    public async Task ProduceSafelyAsync(int index)
    {
        var producerId = await ProducerIdAsync();
        var sequence = 0;
        var unacknowledged = new List<Batch>();
        var newestEpoch = -1;
        while (!Stopping || unacknowledged.Count > 0)
        {
            while (!Stopping && unacknowledged.Count < BatchesInFlight && (unacknowledged.Count == 0 || world.Chance(0.5)))
            {
                var values = Values(world.Random.Next(1, 6));
                unacknowledged.Add(new Batch(sequence, values, Batches.Build(producerId, sequence, NowMs, values, world.Random.Next(0, 800))));
                sequence += values.Length;
            }

            newestEpoch = await SendAsync(index, unacknowledged, newestEpoch);
            await world.Script.Delay(world.Between(0, 60));
        }
    }

    /// <summary>A producer without idempotence and acks=1: whatever becomes of its records, nobody may read two things at one offset.</summary>
    public async Task ProduceLooselyAsync(int index)
    {
        while (!Stopping)
        {
            var values = Values(world.Random.Next(1, 4));
            var batch = Batches.Build(-1, -1, NowMs, values, world.Random.Next(0, 300));
            await TryAsync(Any(), topic, index, partition =>
            {
                Observe(partition, values);
                return partition.AppendAsync(new ReadOnlySequence<byte>(batch), Acks.Leader, 11);
            });
            await world.Script.Delay(world.Between(0, 150));
        }
    }

    /// <summary>Reads forward from somewhere, starts again at the end.</summary>
    public async Task ReadAsync()
    {
        var offset = 0L;
        var index = world.Random.Next(partitions);
        while (!Stopping)
        {
            var from = offset;
            var (error, next) = await TryAsync(Any(), topic, index, partition => ReadOnceAsync(partition, from, world.Random.Next(1, 20_000)));
            if (error == ErrorCode.None)
            {
                offset = next;
            }

            if (world.Chance(0.05))
            {
                (index, offset) = (world.Random.Next(partitions), 0);
            }

            await world.Script.Delay(world.Between(0, 50));
        }
    }

    /// <summary>The whole log of a partition, with its bounds and its size.</summary>
    public async Task<FinalLog> ReadAllAsync(SimulatedBroker broker, string name, int index)
    {
        var log = new List<SeenRecord>();
        while (true)
        {
            var (error, end) = await broker.WithPartitionAsync(name, index, async partition =>
            {
                history.Leads(partition, broker.Process!.Name);
                var from = log.Count == 0 ? partition.LogStartOffset : log[^1].Offset + 1;
                using var read = await partition.ReadAsync(new PartitionReadRequest(from, 50_000, true, IsolationLevel.ReadUncommitted), default);
                if (read.Error == ErrorCode.OffsetOutOfRange && from < partition.LogStartOffset)
                {
                    // Retention has come in between.
                    log.Clear();
                }
                else if (read.Error != ErrorCode.None)
                {
                    history.Broken("I1", partition.Id, $"the final read from {from} ends with {read.Error}, high watermark {partition.HighWatermark}");
                }

                log.AddRange(Batches.Read(read.Records));
                return (partition.Id, Start: partition.LogStartOffset, Watermark: partition.HighWatermark, SizeBytes: (await partition.SizeAsync(default))!.Value);
            });
            if (error == ErrorCode.None && (log.Count == 0 ? end.Start : log[^1].Offset + 1) >= end.Watermark)
            {
                return new FinalLog(end.Id, log.SkipWhile(r => r.Offset < end.Start).ToList(), end.Start, end.Watermark, end.SizeBytes);
            }

            await world.Script.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    private async Task<int> SendAsync(int index, List<Batch> unacknowledged, int newestEpoch)
    {
        // A copy: a broker that sleeps may carry out this request much later.
        var batches = unacknowledged.ToArray();
        var broker = Any();
        var (error, answers) = await TryAsync(broker, topic, index, async partition =>
        {
            Observe(partition, batches.SelectMany(b => b.Values));

            // Started in order, as requests on one connection are; awaited together.
            var appends = batches.Select(b => partition.AppendAsync(new ReadOnlySequence<byte>(b.Bytes), Acks.All, 11).AsTask()).ToList();
            var results = new List<AppendResult>();
            foreach (var append in appends)
            {
                results.Add(await append);
            }

            history.Leads(partition, broker.Process!.Name);
            return (partition.Id, partition.LeaderEpoch, Results: results);
        });
        if (error != ErrorCode.None)
        {
            return newestEpoch;
        }

        var acknowledged = new List<Batch>();
        var failed = false;
        for (var i = 0; i < batches.Length; i++)
        {
            var result = answers.Results[i];
            world.Logs.Add(world.NowTicks, "client", $"partition {index}: {broker.Process?.Name} in epoch {answers.LeaderEpoch} answers sequence {batches[i].BaseSequence} "
                + $"({batches[i].Values.Length} records) with {result.Error}, offset {result.BaseOffset}");
            if (result.Error == ErrorCode.None)
            {
                for (var k = 0; k < batches[i].Values.Length; k++)
                {
                    history.Acknowledged(answers.Id, result.BaseOffset + k, batches[i].Values[k], $"{broker.Process!.Name} in leader epoch {answers.LeaderEpoch}");
                }

                acknowledged.Add(batches[i]);
            }
            else if (answers.LeaderEpoch >= newestEpoch && !IsRetriable(result.Error) && !(failed && result.Error == ErrorCode.OutOfOrderSequenceNumber))
            {
                history.Broken("I1", answers.Id, $"the idempotent producer's batch with sequence {batches[i].BaseSequence} was refused by {broker.Process!.Name} "
                    + $"in leader epoch {answers.LeaderEpoch} with {result.Error}: {result.ErrorMessage}");
            }

            failed |= result.Error != ErrorCode.None;
        }

        unacknowledged.RemoveAll(acknowledged.Contains);

        // A leader that does not know yet that it was replaced judges sequences by what it knows: a client that has met its successor does not listen.
        return acknowledged.Count > 0 ? Math.Max(newestEpoch, answers.LeaderEpoch) : newestEpoch;
    }

    private async ValueTask<long> ReadOnceAsync(IPartition partition, long offset, int maxBytes)
    {
        using var read = await partition.ReadAsync(new PartitionReadRequest(offset, maxBytes, true, IsolationLevel.ReadUncommitted), default);
        if (read.Error != ErrorCode.None)
        {
            return read.Error == ErrorCode.OffsetOutOfRange ? partition.LogStartOffset : offset;
        }

        var records = Batches.Read(read.Records);
        foreach (var record in records)
        {
            history.Read(partition.Id, record, read.HighWatermark, $"leader epoch {partition.LeaderEpoch}");
        }

        return records.Count == 0 ? offset : records[^1].Offset + 1;
    }

    private async Task<long> ProducerIdAsync()
    {
        while (true)
        {
            var broker = Any();
            if (broker.Engine is { } engine && broker.Process is { Alive: true } process)
            {
                try
                {
                    return await process.CallAsync(() => engine.NextProducerIdAsync(default));
                }
                catch (Exception e) when (e is ProcessCrashedException or IOException)
                {
                    // Another try below.
                }
            }

            await world.Script.Delay(TimeSpan.FromMilliseconds(100));
        }
    }

    /// <summary>One request about a partition; what it answered, or why there is no answer.</summary>
    public Task<(ErrorCode Error, T? Answer)> TryAsync<T>(SimulatedBroker broker, string name, int index, Func<IPartition, ValueTask<T>> call) =>
        InTimeAsync(broker.WithPartitionAsync(name, index, partition =>
        {
            history.Leads(partition, broker.Process!.Name);
            return call(partition);
        }));

    /// <summary>One request about the cluster.</summary>
    public Task<(ErrorCode Error, T? Answer)> AskAsync<T>(SimulatedBroker broker, Func<BrokerEngine, ValueTask<T>> call) =>
        broker.Engine is { } engine && broker.Process is { Alive: true } process
            ? InTimeAsync(process.CallAsync<(ErrorCode, T?)>(async () => (ErrorCode.None, await call(engine))))
            : Task.FromResult<(ErrorCode, T?)>((ErrorCode.BrokerNotAvailable, default));

    private async Task<(ErrorCode Error, T? Answer)> InTimeAsync<T>(Task<(ErrorCode, T?)> answer)
    {
        var timeout = world.Script.Delay(world.Between(2_000, 20_000));
        try
        {
            // A client gives up waiting for a broker that sleeps or whose store is away.
            return await Task.WhenAny(answer, timeout) == answer ? await answer : (ErrorCode.RequestTimedOut, default);
        }
        catch (ProcessCrashedException)
        {
            return (ErrorCode.NetworkException, default);
        }
    }

    private void Observe(IPartition partition, IEnumerable<long> values)
    {
        foreach (var value in values)
        {
            history.Producing(partition.Id, value);
        }
    }

    private static bool IsRetriable(ErrorCode error) =>
        error is ErrorCode.NotLeaderOrFollower or ErrorCode.KafkaStorageError or ErrorCode.RequestTimedOut or ErrorCode.UnknownTopicOrPartition;

    public SimulatedBroker Any() => brokers[world.Random.Next(brokers.Count)];

    public long[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => ++_nextValue)];

    private long NowMs => world.Script.Ports.NowMilliseconds;
}
