using System.Buffers.Binary;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages.Coordinators;

namespace OrleansStream.Broker.Groups.Records;

/// <summary>
/// The bytes of coordinator records, as Kafka's own tools read them: a key is the number of its type and the key itself, a value is its version and the
/// value itself.
/// </summary>
internal static class RecordCodec
{
    private delegate IMessage ReadMessage(ref KafkaReader reader, short version);

    private sealed record Format(ReadMessage Key, ReadMessage Value, short NewestValue);

    private static readonly Dictionary<short, Format> Formats = new()
    {
        [0] = Of<LegacyOffsetCommitKey, LegacyOffsetCommitValue>(),
        [1] = Of<OffsetCommitKey, OffsetCommitValue>(),
        [2] = Of<GroupMetadataKey, GroupMetadataValue>(),
        [3] = Of<ConsumerGroupMetadataKey, ConsumerGroupMetadataValue>(),
        [4] = Of<ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue>(),
        [5] = Of<ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue>(),
        [6] = Of<ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue>(),
        [7] = Of<ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue>(),
        [8] = Of<ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue>(),
        [16] = Of<ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue>(),
    };

    private static Format Of<TKey, TValue>() where TKey : IMessage<TKey> where TValue : IMessage<TValue> => new(
        static (ref KafkaReader reader, short version) => TKey.Read(ref reader, version),
        static (ref KafkaReader reader, short version) => TValue.Read(ref reader, version),
        TValue.Info.HighestVersion);

    /// <summary>Writes key and value one behind the other; answers how long the key is, and -1 as the value's length for a tombstone.</summary>
    public static (int KeyLength, int ValueLength) Write(in CoordinatorRecord record, KafkaWriter writer)
    {
        var start = writer.Length;
        writer.WriteInt16(record.Type);
        record.Key.Write(writer, 0);
        var keyLength = writer.Length - start;
        if (record.Value is null)
            return (keyLength, -1);
        writer.WriteInt16(record.ValueVersion);
        record.Value.Write(writer, record.ValueVersion);
        return (keyLength, writer.Length - start - keyLength);
    }

    /// <summary>
    /// Reads a record; false where the key is of a type that no coordinator of this program knows, and which is left alone. Throws
    /// <see cref="InvalidDataException"/> for bytes that do not mean anything, and for a value of a newer version.
    /// </summary>
    public static bool TryRead(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, bool hasValue, out CoordinatorRecord record)
    {
        record = default;
        if (key.Length < sizeof(short))
            throw new InvalidDataException("a coordinator record with a key of less than two bytes");
        var type = BinaryPrimitives.ReadInt16BigEndian(key.Span);
        if (!Formats.TryGetValue(type, out var format))
            return false;
        try
        {
            var reader = new KafkaReader(key[sizeof(short)..]);
            var readKey = format.Key(ref reader, 0);
            if (!hasValue)
            {
                record = new CoordinatorRecord(type, readKey, null, 0);
                return true;
            }
            reader = new KafkaReader(value);
            var version = reader.ReadInt16();
            if (version < 0 || version > format.NewestValue)
                throw new InvalidDataException($"a coordinator record of type {type} has value version {version}; this program knows 0 to {format.NewestValue}");
            record = new CoordinatorRecord(type, readKey, format.Value(ref reader, version), version);
            return true;
        }
        catch (ProtocolException e)
        {
            throw new InvalidDataException($"a coordinator record of type {type} is damaged: {e.Message}", e);
        }
    }
}
