using System.Buffers;
using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>
/// What consumers of the classic protocol say in the bytes that brokers otherwise pass on unread: their subscription and their assignment, each behind a
/// version of its own. Versions newer than known are read as the newest known, as they only add to it.
/// </summary>
internal static class ConsumerProtocol
{
    /// <summary>The protocol type of consumers.</summary>
    public const string Type = "consumer";

    /// <summary>Throws <see cref="GroupException"/> with INCONSISTENT_GROUP_PROTOCOL for what is no subscription.</summary>
    public static ConsumerProtocolSubscription ReadSubscription(byte[] metadata)
    {
        try
        {
            var reader = new KafkaReader(metadata);
            return ConsumerProtocolSubscription.Read(ref reader, Clamp(reader.ReadInt16(), ConsumerProtocolSubscription.HighestVersion));
        }
        catch (ProtocolException e)
        {
            throw new GroupException(ErrorCode.InconsistentGroupProtocol, $"Malformed embedded consumer protocol: {e.Message}");
        }
    }

    /// <summary>Throws <see cref="ProtocolException"/>.</summary>
    public static ConsumerProtocolAssignment ReadAssignment(byte[] assignment)
    {
        if (assignment.Length == 0)
            return new ConsumerProtocolAssignment();
        var reader = new KafkaReader(assignment);
        return ConsumerProtocolAssignment.Read(ref reader, Clamp(reader.ReadInt16(), ConsumerProtocolAssignment.HighestVersion));
    }

    /// <summary>The assignment in the version that the member's own metadata has.</summary>
    public static byte[] WriteAssignment(IEnumerable<(Guid Topic, IEnumerable<int> Partitions)> partitions, ClusterPicture cluster, byte[] metadata)
    {
        var assignment = new ConsumerProtocolAssignment();
        foreach (var (topic, numbers) in partitions)
        {
            if (cluster.TopicsById.TryGetValue(topic, out var picture))
                assignment.AssignedPartitions.Add(new() { Topic = picture.Name, Partitions = [.. numbers] });
        }
        var reader = new KafkaReader(metadata);
        var version = Clamp(reader.ReadInt16(), ConsumerProtocolAssignment.HighestVersion);
        using var writer = new KafkaWriter();
        writer.WriteInt16(version);
        assignment.Write(writer, version);
        var bytes = new ArrayBufferWriter<byte>(writer.Length);
        writer.CopyTo(bytes);
        return bytes.WrittenSpan.ToArray();
    }

    public static PartitionSet ToPartitions(IEnumerable<(string Topic, int[] Partitions)> topics, ClusterPicture cluster) => PartitionSet.From(topics
        .Where(t => cluster.TopicsByName.ContainsKey(t.Topic))
        .Select(t => (cluster.TopicsByName[t.Topic].Id, (IEnumerable<int>)t.Partitions)));

    private static short Clamp(short version, short highest) =>
        version < 0 ? throw new ProtocolException($"version {version} of the consumer protocol") : Math.Min(version, highest);
}
