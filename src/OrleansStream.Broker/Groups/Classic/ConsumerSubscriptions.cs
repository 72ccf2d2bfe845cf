using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Groups.Classic;

/// <summary>Looks into what consumers tell each other through the classic protocol (ConsumerProtocolSubscription), which brokers mostly pass on unread.</summary>
internal static class ConsumerSubscriptions
{
    /// <summary>The topics that any of the members reads; empty without members, null where what one of them says is not understood.</summary>
    public static IReadOnlySet<string>? TopicsOf(IEnumerable<ClassicMember> members, string? protocol)
    {
        var topics = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in members)
        {
            if (member.MetadataOf(protocol) is not { } metadata)
                return null;
            try
            {
                var reader = new KafkaReader(metadata);
                // Every version begins with the fields of version 0.
                if (reader.ReadInt16() < 0)
                    return null;
                topics.UnionWith(ConsumerProtocolSubscription.Read(ref reader, 0).Topics);
            }
            catch (ProtocolException)
            {
                // Members may say what they like; then the group counts as subscribed to everything.
                return null;
            }
        }
        return topics;
    }
}
