using System.Buffers;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Broker.Forwarding;

/// <summary>
/// Requests and responses of groups as bytes between brokers: each in its highest version, which carries what any other does, and without a header. What the
/// coordinator does otherwise for old clients goes by the client's version, which travels beside. Offset requests go in the last version that names topics.
/// </summary>
internal static class GroupMessages
{
    private const short LastWithNames = 9;

    public static short VersionOf<TRequest>() where TRequest : IMessage<TRequest> =>
        typeof(TRequest) == typeof(OffsetCommitRequest) || typeof(TRequest) == typeof(OffsetFetchRequest) ? LastWithNames : TRequest.Info.HighestVersion;

    public static byte[] Write(IMessage message, short version)
    {
        using var writer = new KafkaWriter();
        message.Write(writer, version);
        var bytes = new ArrayBufferWriter<byte>(Math.Max(1, writer.Length));
        writer.CopyTo(bytes);
        return bytes.WrittenSpan.ToArray();
    }

    public static T Read<T>(ReadOnlyMemory<byte> bytes, short version) where T : IMessage<T>
    {
        var reader = new KafkaReader(bytes);
        return T.Read(ref reader, version);
    }

    public static IReadOnlyList<Guid> IdsOf(OffsetCommitRequest request) => [.. request.Topics.Select(static t => t.TopicId)];

    public static void SetIds(OffsetCommitRequest request, IReadOnlyList<Guid> ids)
    {
        for (var i = 0; i < request.Topics.Count; i++)
            request.Topics[i].TopicId = ids[i];
    }

    /// <summary>Gives the answer's topics the ids that the request's have.</summary>
    public static void SetIds(OffsetCommitResponse response, OffsetCommitRequest request)
    {
        foreach (var topic in response.Topics)
            topic.TopicId = request.Topics.Find(t => t.Name == topic.Name)?.TopicId ?? Guid.Empty;
    }

    public static IReadOnlyList<Guid> IdsOf(OffsetFetchRequest.OffsetFetchRequestGroup group) => group.Topics is { } topics ? [.. topics.Select(static t => t.TopicId)] : [];

    public static void SetIds(OffsetFetchRequest.OffsetFetchRequestGroup group, IReadOnlyList<Guid> ids)
    {
        for (var i = 0; i < (group.Topics?.Count ?? 0); i++)
            group.Topics![i].TopicId = ids[i];
    }

    /// <inheritdoc cref="SetIds(OffsetCommitResponse, OffsetCommitRequest)"/>
    public static void SetIds(OffsetFetchResponse.OffsetFetchResponseGroup answer, OffsetFetchRequest.OffsetFetchRequestGroup group)
    {
        foreach (var topic in answer.Topics)
            topic.TopicId = group.Topics?.Find(t => t.Name == topic.Name)?.TopicId ?? Guid.Empty;
    }
}
