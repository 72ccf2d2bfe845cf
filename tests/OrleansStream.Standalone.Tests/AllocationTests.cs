using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Benchmarks.Load;
using OrleansStream.Hosting;
using OrleansStream.Hosting.Configuration;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;
using Xunit.Abstractions;

namespace OrleansStream.Standalone.Tests;

/// <summary>
/// What the whole broker allocates for a request, from socket to journal and back, background work included: a budget in bytes, and nothing that grows
/// with the number of records. The client's own thread is counted out.
/// </summary>
[Collection("alone")]
public sealed class AllocationTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Requests = 400;

    // Seen on .NET 10: 2.8 and 1.8 KB in Release. Without optimization every async method that completes at once is an object, too.
#if DEBUG
    private const int ProduceBudget = 6 * 1024, FetchBudget = 5 * 1024;
#else
    private const int ProduceBudget = 4 * 1024, FetchBudget = 3 * 1024;
#endif
    private readonly string _folder = Directory.CreateTempSubdirectory("ostream-allocations-").FullName;
    private BrokerProcess _process = null!;
    private Task<int> _running = null!;
    private BrokerClient _client = null!;

    public async Task InitializeAsync()
    {
        int port = FreePort();
        var kind = new StandaloneKind();
        CommandLine line = CommandLine.Parse(
            ["--override", $"log.dirs={_folder}", "--override", $"listeners=PLAINTEXT://127.0.0.1:{port}", "--override", "http.listener="], kind.Program);
        _process = new BrokerProcess(ProcessSettings.Gather(line, new Dictionary<string, string>(), kind.Program), kind, NullLoggerFactory.Instance);
        var banner = new Banner();
        _running = Task.Run(() => _process.RunAsync(banner, TextWriter.Null));
        Assert.Same(banner.Shown, await Task.WhenAny(banner.Shown, _running));
        _client = new BrokerClient("127.0.0.1", port);
    }

    public async Task DisposeAsync()
    {
        _process.Stop();
        Assert.Equal(0, await _running);
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_request_costs_a_few_kilobytes_and_a_record_nothing()
    {
        BenchTopic topic = _client.CreateTopic("allocations", 1);
        using BrokerConnection connection = _client.Connect();
        byte[] one = Produce(connection, topic, records: 1, recordBytes: 900);
        byte[] many = Produce(connection, topic, records: 900, recordBytes: 1);
        Exchange(connection, one, 2000);
        Exchange(connection, many, 2000);
        double perOne = Exchange(connection, one, Requests);
        double perMany = Exchange(connection, many, Requests);

        byte[] fetch = Fetch(connection, topic, offset: 0);
        Exchange(connection, fetch, 2000);
        double perFetch = Exchange(connection, fetch, Requests);
        output.WriteLine($"produce: {perOne:0} bytes a request of 1 record, {perMany:0} of 900; fetch: {perFetch:0}");

        Assert.InRange(perOne, 0, ProduceBudget);
        Assert.InRange(perMany, 0, perOne + 0.5 * 900);
        Assert.InRange(perFetch, 0, FetchBudget);
    }

    /// <summary>Sends a frame and takes its answer, again and again; bytes that the broker allocated for each.</summary>
    private static double Exchange(BrokerConnection connection, byte[] frame, int times)
    {
        connection.Send(frame);
        connection.Receive();
        long before = GC.GetTotalAllocatedBytes(precise: true), own = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < times; i++)
        {
            connection.Send(frame);
            connection.Receive();
        }
        long mine = GC.GetAllocatedBytesForCurrentThread() - own;
        return (double)(GC.GetTotalAllocatedBytes(precise: true) - before - mine) / times;
    }

    private byte[] Produce(BrokerConnection connection, BenchTopic topic, int records, int recordBytes)
    {
        var batch = new ReadOnlySequence<byte>(Batches.Make(records, recordBytes));
        var request = new ProduceRequest
        {
            Acks = -1,
            TimeoutMs = 30_000,
            TopicData = { new() { Name = topic.Name, PartitionData = { new() { Index = 0, Records = batch } } } },
        };
        short version = _client.Version<ProduceRequest>(12);
        byte[] frame = connection.Frame(request, version, 1);
        connection.Send(frame);
        var answer = BrokerConnection.Read<ProduceRequest, ProduceResponse>(connection.Receive(), version);
        Assert.Equal(0, answer.Responses[0].PartitionResponses[0].ErrorCode);
        return frame;
    }

    private byte[] Fetch(BrokerConnection connection, BenchTopic topic, long offset)
    {
        short version = _client.Version<FetchRequest>(16);
        var partition = new FetchRequest.FetchPartition { Partition = 0, FetchOffset = offset, PartitionMaxBytes = 64 * 1024 };
        var request = new FetchRequest
        {
            MaxWaitMs = 500,
            MinBytes = 1,
            MaxBytes = 64 * 1024,
            Topics = { new() { Topic = version < 13 ? topic.Name : "", TopicId = version < 13 ? Guid.Empty : topic.Id, Partitions = { partition } } },
        };
        byte[] frame = connection.Frame(request, version, 1);
        connection.Send(frame);
        var answer = BrokerConnection.Read<FetchRequest, FetchResponse>(connection.Receive(), version);
        Assert.Equal(0, answer.Responses[0].Partitions[0].ErrorCode);
        Assert.True(answer.Responses[0].Partitions[0].Records?.Length > 16 * 1024);
        return frame;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Completes when the process says that it is ready.</summary>
    private sealed class Banner : StringWriter
    {
        private readonly TaskCompletionSource _shown = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Shown => _shown.Task;

        public override Task FlushAsync()
        {
            _shown.TrySetResult();
            return Task.CompletedTask;
        }
    }
}

/// <summary>Tests that count what the whole process allocates, beside which no other may run.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;
