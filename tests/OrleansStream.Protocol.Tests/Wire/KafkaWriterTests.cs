using System.Buffers;
using System.IO.Pipelines;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Protocol.Tests.Wire;

public class KafkaWriterTests
{
    [Fact]
    public async Task A_frame_with_records_goes_to_the_pipe_as_it_is_copied()
    {
        var random = new Random(7);
        byte[] first = new byte[700_000];
        byte[] second = new byte[1];
        random.NextBytes(first);
        FetchResponse response = Fetch(Segments.Of(first, 100_000), new ReadOnlySequence<byte>(second), null, ReadOnlySequence<byte>.Empty);
        using var w = new KafkaWriter(16);
        for (int round = 0; round < 2; round++)
        {
            w.Reset();
            int frame = w.BeginLength();
            new ResponseHeader { CorrelationId = 9 }.Write(w, 1);
            response.Write(w, FetchResponse.HighestVersion);
            w.EndLength(frame);

            var copy = new ArrayBufferWriter<byte>();
            w.CopyTo(copy);
            Assert.Equal(w.Length, copy.WrittenCount);

            var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 64 * 1024, resumeWriterThreshold: 32 * 1024));
            Task<byte[]> reading = ReadAll(pipe.Reader);
            FlushResult flushed = await w.WriteToAsync(pipe.Writer);
            Assert.False(flushed.IsCompleted);
            await pipe.Writer.CompleteAsync();
            byte[] got = await reading;
            Assert.Equal(copy.WrittenSpan, got);

            var r = new KafkaReader(got);
            Assert.Equal(got.Length - 4, r.ReadInt32());
            Assert.Equal(9, ResponseHeader.Read(ref r, 1).CorrelationId);
            FetchResponse back = FetchResponse.Read(ref r, FetchResponse.HighestVersion);
            r.ExpectEnd();
            var partitions = back.Responses[0].Partitions;
            Assert.Equal(first, partitions[0].Records!.Value.ToArray());
            Assert.Equal(second, partitions[1].Records!.Value.ToArray());
            Assert.Null(partitions[2].Records);
            Assert.True(partitions[3].Records!.Value.IsEmpty);
        }
    }

    [Fact]
    public void Writing_a_fetch_again_allocates_nothing()
    {
        FetchResponse response = Fetch(new ReadOnlySequence<byte>(new byte[5000]));
        using var w = new KafkaWriter(64 * 1024);
        Write(w, response);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            Write(w, response);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Reading_a_produce_allocates_for_its_partitions_and_not_for_its_records()
    {
        byte[] small = Produce(100);
        byte[] large = Produce(1_000_000);
        Assert.Equal(AllocatedReading(small), AllocatedReading(large));
        Assert.InRange(AllocatedReading(large), 1, 400);
    }

    [Fact]
    public void A_tagged_field_may_be_longer_than_its_size_was_thought_to_be()
    {
        foreach (int endpoints in new[] { 1, 10, 100, 2000, 40_000 })
        {
            var response = new ProduceResponse();
            for (int i = 0; i < endpoints; i++)
                response.NodeEndpoints.Add(new() { NodeId = i, Host = "broker-" + i, Port = 9092 });
            var r = new KafkaReader(Golden.Write(response, 10));
            ProduceResponse back = ProduceResponse.Read(ref r, 10);
            r.ExpectEnd();
            Assert.Equal(response.NodeEndpoints.Select(e => e.Host), back.NodeEndpoints.Select(e => e.Host));
        }
    }

    [Fact]
    public void A_string_beyond_Kafkas_limit_is_refused()
    {
        using var w = new KafkaWriter();
        w.WriteString(true, new string('x', KafkaReader.MaxStringBytes));
        Assert.Throws<ArgumentException>(() => w.WriteString(true, new string('x', KafkaReader.MaxStringBytes + 1)));
    }

    private static void Write(KafkaWriter w, FetchResponse response)
    {
        w.Reset();
        response.Write(w, FetchResponse.HighestVersion);
    }

    private static FetchResponse Fetch(params ReadOnlySequence<byte>?[] records)
    {
        var topic = new FetchResponse.FetchableTopicResponse { TopicId = Guid.NewGuid() };
        foreach (ReadOnlySequence<byte>? one in records)
            topic.Partitions.Add(new() { PartitionIndex = topic.Partitions.Count, Records = one, AbortedTransactions = null });
        return new FetchResponse { Responses = { topic } };
    }

    private static byte[] Produce(int records)
    {
        var topic = new ProduceRequest.TopicProduceData { TopicId = Guid.NewGuid() };
        topic.PartitionData.Add(new() { Records = new ReadOnlySequence<byte>(new byte[records]) });
        return Golden.Write(new ProduceRequest { Acks = -1, TopicData = { topic } }, 13);
    }

    private static long AllocatedReading(byte[] bytes)
    {
        long before = 0;
        for (int i = 0; i < 2; i++)
        {
            before = GC.GetAllocatedBytesForCurrentThread();
            var r = new KafkaReader(bytes);
            ProduceRequest.Read(ref r, 13);
        }
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static async Task<byte[]> ReadAll(PipeReader reader)
    {
        var all = new ArrayBufferWriter<byte>();
        while (true)
        {
            ReadResult result = await reader.ReadAsync();
            foreach (ReadOnlyMemory<byte> part in result.Buffer)
                all.Write(part.Span);
            reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
                return all.WrittenSpan.ToArray();
        }
    }
}
