using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.Cluster.EndToEnd.Silos;

/// <summary>What an operator asks of one broker, in the last versions before the flexible ones. Each answers the error of its one resource.</summary>
internal static class AdminRequests
{
    private const short DescribeConfigs = 32, CreatePartitions = 37, IncrementalAlterConfigs = 44;
    private const int TopicResource = 2, TimeoutMs = 30_000;

    public static async Task<short> TryCreateTopicAsync(this KafkaConnection connection, string topic, int partitions)
    {
        WireReader answer = await connection.AskAsync(KafkaRequests.CreateTopics, 4, new WireWriter()
            .Int32(1).Text(topic).Int32(partitions).Int16(1).Int32(0).Int32(0).Int32(TimeoutMs).Int8(0));
        answer.Int32();
        return answer.Array(static r => { r.Text(); short error = r.Int16(); r.Text(); return error; })[0];
    }

    public static async Task<short> DeleteTopicAsync(this KafkaConnection connection, string topic)
    {
        WireReader answer = await connection.AskAsync(KafkaRequests.DeleteTopics, 3, new WireWriter().Int32(1).Text(topic).Int32(TimeoutMs));
        answer.Int32();
        return answer.Array(static r => { r.Text(); return r.Int16(); })[0];
    }

    public static async Task<short> WidenTopicAsync(this KafkaConnection connection, string topic, int partitions)
    {
        WireReader answer = await connection.AskAsync(CreatePartitions, 1, new WireWriter().Int32(1).Text(topic).Int32(partitions).Int32(-1).Int32(TimeoutMs).Int8(0));
        answer.Int32();
        return answer.Array(static r => { r.Text(); short error = r.Int16(); r.Text(); return error; })[0];
    }

    public static async Task<short> SetTopicConfigAsync(this KafkaConnection connection, string topic, string name, string value)
    {
        WireReader answer = await connection.AskAsync(IncrementalAlterConfigs, 0, new WireWriter()
            .Int32(1).Int8(TopicResource).Text(topic).Int32(1).Text(name).Int8(0).Text(value).Int8(0));
        answer.Int32();
        return answer.Array(static r => { short error = r.Int16(); r.Text(); r.Int8(); r.Text(); return error; })[0];
    }

    /// <summary>The value of a topic's setting as this broker shows it; null where it knows no such topic.</summary>
    public static async Task<string?> TopicConfigAsync(this KafkaConnection connection, string topic, string name)
    {
        WireReader answer = await connection.AskAsync(DescribeConfigs, 1, new WireWriter().Int32(1).Int8(TopicResource).Text(topic).Int32(1).Text(name).Int8(0));
        answer.Int32();
        return answer.Array(static r =>
        {
            short error = r.Int16();
            r.Text();
            r.Int8();
            r.Text();
            List<string?> values = r.Array(static c =>
            {
                c.Text();
                string? value = c.Text();
                c.Int8();
                c.Int8();
                c.Int8();
                c.Array(static s => { s.Text(); s.Text(); return s.Int8(); });
                return value;
            });
            return error == 0 ? values.Single() : null;
        })[0];
    }
}
