namespace OrleansStream.EndToEnd.Wire;

/// <summary>The few requests that the tests themselves need, in their last versions before the flexible ones.</summary>
internal static class KafkaRequests
{
    public const short Produce = 0, Fetch = 1, ListOffsets = 2, Metadata = 3, ApiVersions = 18, CreateTopics = 19, DeleteTopics = 20, DeleteRecords = 21, InitProducerId = 22;

    public readonly record struct ProduceAnswer(short Error, long BaseOffset, string? Message);
    public readonly record struct FetchAnswer(short Error, long HighWatermark, long LogStart, ReadOnlyMemory<byte> Records)
    {
        public override string ToString() => $"error {Error}, {Records.Length} bytes, log start {LogStart}, high watermark {HighWatermark}";
    }

    /// <summary>(api, lowest, highest) of every advertised request.</summary>
    public static async Task<List<(short Api, short Min, short Max)>> ApiVersionsAsync(this KafkaConnection connection)
    {
        var answer = await connection.AskAsync(ApiVersions, 2, new WireWriter());
        Check(answer.Int16(), "ApiVersions");
        return answer.Array(r => (r.Int16(), r.Int16(), r.Int16()));
    }

    /// <summary>Makes a topic and waits until every partition of it serves at this broker.</summary>
    public static async Task CreateTopicAsync(this KafkaConnection connection, string topic, int partitions, params (string Name, string Value)[] configs)
    {
        var answer = await connection.AskAsync(CreateTopics, 4, new WireWriter()
            .Int32(1).Text(topic).Int32(partitions).Int16(1).Int32(0).Array(configs, (w, c) => w.Text(c.Name).Text(c.Value)).Int32(30_000).Int8(0));
        answer.Int32();
        answer.Array(r => { r.Text(); Check(r.Int16(), $"CreateTopics {topic} {r.Text()}"); return 0; });
        // Kafka answers before its own metadata shows the leaders.
        for (var tries = 0; await connection.CountLeadersAsync(topic) < partitions; tries++)
        {
            if (tries == 300) throw new TimeoutException("no leaders for " + topic);
            await Task.Delay(20);
        }
        // Nor does each of them lead as soon as it is shown.
        for (var partition = 0; partition < partitions; partition++)
        {
            for (var tries = 0; (await connection.ListOffsetAsync(topic, partition, -1)).Error != 0; tries++)
            {
                if (tries == 300) throw new TimeoutException($"nobody leads {topic}-{partition}");
                await Task.Delay(20);
            }
        }
    }

    /// <summary>How many partitions of a topic have a leader (Metadata).</summary>
    public static async Task<int> CountLeadersAsync(this KafkaConnection connection, string topic)
    {
        var answer = await connection.AskAsync(Metadata, 4, new WireWriter().Int32(1).Text(topic).Int8(0));
        answer.Int32();
        answer.Array(r => { r.Int32(); r.Text(); r.Int32(); r.Text(); return 0; });
        answer.Text();
        answer.Int32();
        var leaders = answer.Array(r =>
        {
            r.Int16(); r.Text(); r.Int8();
            return r.Array(p => { var error = p.Int16(); p.Int32(); var leader = p.Int32(); p.Array(x => x.Int32()); p.Array(x => x.Int32()); return error == 0 && leader >= 0; });
        });
        return leaders.Count == 1 ? leaders[0].Count(has => has) : 0;
    }

    public static WireWriter ProduceBody(string topic, int partition, ReadOnlySpan<byte> records, short acks = -1, int timeoutMs = 30_000) =>
        new WireWriter().Text(null).Int16(acks).Int32(timeoutMs).Int32(1).Text(topic).Int32(1).Int32(partition).Blob(records);

    public static async Task<ProduceAnswer> ProduceAsync(this KafkaConnection connection, string topic, int partition, byte[] records) =>
        ReadProduce(await connection.AskAsync(Produce, 8, ProduceBody(topic, partition, records)));

    /// <summary>The one partition's part of a Produce answer, version 8.</summary>
    public static ProduceAnswer ReadProduce(WireReader answer) =>
        answer.Array(t =>
        {
            t.Text();
            return t.Array(p =>
            {
                p.Int32();
                var (error, offset) = (p.Int16(), p.Int64());
                p.Int64();
                p.Int64();
                p.Array(e => { e.Int32(); e.Text(); return 0; });
                return new ProduceAnswer(error, offset, p.Text());
            })[0];
        })[0];

    public static async Task<FetchAnswer> FetchAsync(
        this KafkaConnection connection, string topic, int partition, long offset, int maxBytes = 50_000_000, int waitMs = 0, int leaderEpoch = -1)
    {
        var answer = await connection.AskAsync(Fetch, 11, new WireWriter()
            .Int32(-1).Int32(waitMs).Int32(1).Int32(maxBytes).Int8(0).Int32(0).Int32(-1)
            .Int32(1).Text(topic).Int32(1).Int32(partition).Int32(leaderEpoch).Int64(offset).Int64(-1).Int32(maxBytes).Int32(0).Text(""));
        answer.Int32();
        Check(answer.Int16(), "Fetch");
        answer.Int32();
        return answer.Array(t =>
        {
            t.Text();
            return t.Array(p =>
            {
                p.Int32();
                var (error, high) = (p.Int16(), p.Int64());
                p.Int64();
                var start = p.Int64();
                p.Array(a => { a.Int64(); a.Int64(); return 0; });
                p.Int32();
                return new FetchAnswer(error, high, start, p.Blob());
            })[0];
        })[0];
    }

    /// <summary>Every record of an uncompressed partition from an offset to its high watermark.</summary>
    public static async Task<List<WireRecord>> ReadAllAsync(this KafkaConnection connection, string topic, int partition, long from = 0)
    {
        var records = new List<WireRecord>();
        while (true)
        {
            var answer = await connection.FetchAsync(topic, partition, from);
            Check(answer.Error, $"Fetch {topic}-{partition} at {from}");
            var some = RecordBatch.Read(answer.Records).Where(r => r.Offset >= from).ToList();
            records.AddRange(some);
            if (some.Count > 0) from = some[^1].Offset + 1;
            if (from >= answer.HighWatermark) return records;
        }
    }

    /// <summary>ListOffsets for one partition: (error, timestamp, offset).</summary>
    public static async Task<(short Error, long Timestamp, long Offset)> ListOffsetAsync(this KafkaConnection connection, string topic, int partition, long timestamp)
    {
        var answer = await connection.AskAsync(ListOffsets, 5, new WireWriter()
            .Int32(-1).Int8(0).Int32(1).Text(topic).Int32(1).Int32(partition).Int32(-1).Int64(timestamp));
        answer.Int32();
        return answer.Array(t => { t.Text(); return t.Array(p => { p.Int32(); var found = (p.Int16(), p.Int64(), p.Int64()); p.Int32(); return found; })[0]; })[0];
    }

    /// <summary>
    /// ListOffsets in any version, in words: "error N"; "-" for an answer without an offset; else the offset, "at" its timestamp where there is one, and
    /// from version 4 on "epoch" and the leader epoch.
    /// </summary>
    public static async Task<string> ListOffsetsInAsync(this KafkaConnection connection, short version, string topic, int partition, long timestamp, int isolation = 0)
    {
        var flexible = version >= 6;
        var body = new WireWriter().Int32(-1);
        if (version >= 2) body.Int8(isolation);
        _ = flexible ? body.Unsigned(2).CompactText(topic).Unsigned(2) : body.Int32(1).Text(topic).Int32(1);
        body.Int32(partition);
        if (version >= 4) body.Int32(-1);
        body.Int64(timestamp);
        if (flexible) body.Unsigned(0).Unsigned(0);
        if (version >= 10) body.Int32(30_000);
        if (flexible) body.Unsigned(0);

        var answer = flexible ? await connection.AskFlexibleAsync(ListOffsets, version, body) : await connection.AskAsync(ListOffsets, version, body);
        if (version >= 2) answer.Int32();
        if (flexible) { answer.Unsigned(); answer.CompactText(); answer.Unsigned(); }
        else { answer.Int32(); answer.Text(); answer.Int32(); }
        answer.Int32();
        var (error, at, offset) = (answer.Int16(), answer.Int64(), answer.Int64());
        var epoch = version >= 4 ? answer.Int32() : -1;
        if (error != 0) return $"error {error}";
        if (offset < 0) return "-";
        return $"{offset}{(at < 0 ? "" : $" at {at}")}{(version < 4 ? "" : $" epoch {epoch}")}";
    }

    /// <summary>DeleteRecords for one partition: (error, where its log begins now).</summary>
    public static async Task<(short Error, long LowWatermark)> DeleteRecordsAsync(this KafkaConnection connection, string topic, int partition, long before)
    {
        var answer = await connection.AskAsync(DeleteRecords, 1, new WireWriter()
            .Int32(1).Text(topic).Int32(1).Int32(partition).Int64(before).Int32(30_000));
        answer.Int32();
        return answer.Array(t => { t.Text(); return t.Array(p => { p.Int32(); var low = p.Int64(); return (p.Int16(), low); })[0]; })[0];
    }

    /// <summary>A producer id and epoch for an idempotent producer (KIP-98).</summary>
    public static async Task<(long Id, short Epoch)> InitProducerIdAsync(this KafkaConnection connection)
    {
        const short coordinatorLoadInProgress = 14;
        while (true)
        {
            var answer = await connection.AskAsync(InitProducerId, 1, new WireWriter().Text(null).Int32(60_000));
            answer.Int32();
            var error = answer.Int16();
            if (error == 0) return (answer.Int64(), answer.Int16());
            // Kafka answers before its controller has given it any ids.
            if (error != coordinatorLoadInProgress) Check(error, "InitProducerId");
            await Task.Delay(20);
        }
    }

    private static void Check(short error, string what)
    {
        if (error != 0) throw new InvalidOperationException($"{what}: error {error}");
    }
}
