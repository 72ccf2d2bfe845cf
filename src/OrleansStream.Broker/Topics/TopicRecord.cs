namespace OrleansStream.Broker.Topics;

/// <summary>A topic as it is stored.</summary>
/// <param name="CreatedMs">Unix time in milliseconds.</param>
/// <param name="Configs">What the topic sets itself, in canonical form.</param>
internal sealed record StoredTopic(Guid Id, int Partitions, short ReplicationFactor, long CreatedMs, IReadOnlyDictionary<string, string> Configs);

/// <summary>A topic that was deleted and whose partitions' data may still be there.</summary>
internal readonly record struct DoomedTopic(Guid Id, int Partitions);

/// <summary>
/// All that is known under a topic's name: the topic that lives, if one does, and those before it whose data is still to be removed. One object, so
/// that a deletion and what remains to be done for it are one swap, and a name is never given to two topics.
/// </summary>
internal sealed record TopicRecord(StoredTopic? Live, IReadOnlyList<DoomedTopic> Doomed)
{
    public static readonly CellCodec<TopicRecord> Codec = new(CellKind.Topic, 1, Write, Read);

    public bool Empty => Live is null && Doomed.Count == 0;

    private static void Write(TopicRecord record, CellWriter writer)
    {
        writer.Byte(record.Live is null ? (byte)0 : (byte)1);
        if (record.Live is { } live)
        {
            writer.Id(live.Id);
            writer.Int(live.Partitions);
            writer.Int(live.ReplicationFactor);
            writer.Long(live.CreatedMs);
            writer.Map(live.Configs);
        }
        writer.Int(record.Doomed.Count);
        foreach (var doomed in record.Doomed)
        {
            writer.Id(doomed.Id);
            writer.Int(doomed.Partitions);
        }
    }

    private static TopicRecord Read(CellReader reader)
    {
        StoredTopic? live = null;
        if (reader.Byte() == 1)
            live = new StoredTopic(reader.Id(), reader.Int(), checked((short)reader.Int()), reader.Long(), reader.Map());
        var count = reader.Int();
        List<DoomedTopic> doomed = [];
        for (var i = 0; i < count; i++)
            doomed.Add(new DoomedTopic(reader.Id(), reader.Int()));
        return new TopicRecord(live, doomed);
    }
}
