namespace OrleansStream.Protocol.Records;

/// <summary>
/// Where the fields of a record batch (magic 2, KIP-98) lie, in bytes from its start; all of them big-endian. The checksum covers everything
/// from <see cref="Attributes"/> to the end, so that a broker assigns offset and leader epoch without touching it.
/// </summary>
public static class RecordBatchLayout
{
    public const int BaseOffset = 0;
    public const int BatchLength = 8;
    public const int PartitionLeaderEpoch = 12;
    public const int Magic = 16;
    public const int Crc = 17;
    public const int Attributes = 21;
    public const int LastOffsetDelta = 23;
    public const int BaseTimestamp = 27;
    public const int MaxTimestamp = 35;
    public const int ProducerId = 43;
    public const int ProducerEpoch = 51;
    public const int BaseSequence = 53;
    public const int RecordCount = 57;

    /// <summary>Where the records begin, compressed or not: the size of the header.</summary>
    public const int Records = 61;

    /// <summary>What <see cref="BatchLength"/> does not count: base offset and the length itself.</summary>
    public const int LengthOverhead = 12;

    /// <summary>The only format that is stored; 0 and 1 are the message sets before Kafka 0.11.</summary>
    public const byte CurrentMagic = 2;

    public const short CodecMask = 0x07;
    public const short LogAppendTimeBit = 0x08;
    public const short TransactionalBit = 0x10;
    public const short ControlBit = 0x20;

    /// <summary>Base timestamp is the time from which on compaction may drop the batch's tombstones (KIP-534).</summary>
    public const short DeleteHorizonBit = 0x40;

    /// <summary>Says that a batch has no producer id, producer epoch or base sequence.</summary>
    public const int None = -1;

    /// <summary>The timestamp of a record that has none.</summary>
    public const long NoTimestamp = -1;
}
