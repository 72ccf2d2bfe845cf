using System.Buffers;

namespace OrleansStream.Storage.Segments;

/// <summary>
/// One run in a sealed object, as a manifest names it: enough to read it without opening anything else first.
/// </summary>
/// <param name="ObjectName">The object in the store.</param>
/// <param name="ObjectLength">Bytes of the whole object; also the end of what ranged gets may ask for.</param>
/// <param name="LeaderEpoch">Leader epoch of the writer, not of the batches: a new leader seals what an older one journalled.</param>
/// <param name="BaseOffset">First offset that the run covers.</param>
/// <param name="LastOffset">Last offset that the run covers (inclusive).</param>
/// <param name="Position">Where the first batch begins in the object, in bytes.</param>
/// <param name="Length">Bytes of batches.</param>
/// <param name="Crc">CRC32C of those bytes.</param>
/// <param name="FirstTimestamp">Base timestamp of the first batch, in milliseconds: when segment.ms began to count.</param>
/// <param name="MaxTimestamp">Largest timestamp of any batch, in milliseconds; -1 where no batch has one.</param>
/// <param name="IndexPosition">Where the run's index begins in the object.</param>
/// <param name="IndexLength">Bytes of the index, its checksum included.</param>
public sealed record SealedRun(
    string ObjectName, long ObjectLength, PartitionId Partition, int LeaderEpoch, long BaseOffset, long LastOffset,
    long Position, long Length, uint Crc, long FirstTimestamp, long MaxTimestamp, long IndexPosition, int IndexLength);

/// <summary>What the sealer hands over for one partition.</summary>
/// <param name="LeaderEpoch">The writer's current leader epoch for this partition.</param>
/// <param name="Batches">Whole record batches with contiguous offsets. Hot memory: referenced, not copied, until the object is in the store.</param>
/// <param name="ProducerSnapshot">The state of the partition's producers after the last batch: opaque bytes of the Broker.</param>
public readonly record struct RunToSeal(
    PartitionId Partition, int LeaderEpoch, ReadOnlySequence<byte> Batches, ReadOnlyMemory<byte> ProducerSnapshot);

/// <summary>An object ready for <see cref="Ports.IObjectStore.CreateAsync"/>, and what manifests will say of its runs.</summary>
/// <param name="Runs">In the order in which they were handed over.</param>
public sealed record SealedObject(string Name, ReadOnlySequence<byte> Content, IReadOnlyList<SealedRun> Runs);
