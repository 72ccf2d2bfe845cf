using System.Collections.Immutable;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Segments;

namespace OrleansStream.Storage.Logs;

/// <summary>
/// The bytes of manifests and of index objects: magic (4 bytes), format version (2), body, CRC-32C (4) of all before it. Integers are big-endian,
/// strings and byte fields carry their length in front. Described field by field in docs/storage-format.md.
/// </summary>
public static class ManifestCodec
{
    public const ushort Version = 1;

    /// <summary>"OSMF".</summary>
    private const uint ManifestMagic = 0x4F534D46;

    /// <summary>"OSRI".</summary>
    private const uint IndexMagic = 0x4F535249;

    /// <summary>A producer snapshot up to this size rides in the manifest itself.</summary>
    public const int MaxInlineSnapshot = 16 << 10;

    public static byte[] Encode(PartitionId partition, Manifest manifest)
    {
        var writer = new ManifestWriter();
        writer.UInt32(ManifestMagic);
        writer.UInt16(Version);
        WritePartition(writer, partition);
        writer.Int32(manifest.LeaderEpoch);
        writer.Int64(manifest.LogStartOffset);
        writer.Int64(manifest.SealedEndOffset);
        writer.Int32(manifest.Journals.Length);
        foreach (var journal in manifest.Journals)
        {
            writer.Int32(journal.LeaderEpoch);
            writer.Guid(journal.JournalId);
        }
        writer.Int32(manifest.EpochStarts.Length);
        foreach (var start in manifest.EpochStarts)
        {
            writer.Int32(start.LeaderEpoch);
            writer.Int64(start.StartOffset);
        }
        writer.Int32(manifest.Indexes.Length);
        foreach (var index in manifest.Indexes)
        {
            writer.Name(index.Name, SegmentNames.PartitionPrefix(partition));
            writer.Int64(index.BaseOffset);
            writer.Int64(index.LastOffset);
            writer.Int64(index.Bytes);
            writer.Int64(index.MaxTimestamp);
        }
        WriteRuns(writer, partition, manifest.Runs);
        writer.Bool(manifest.ProducerSnapshot is not null);
        writer.Bytes(manifest.ProducerSnapshot ?? default);
        WriteRuns(writer, partition, manifest.SnapshotRun is { } run ? [run] : []);
        return writer.Finish();
    }

    /// <summary>Throws <see cref="UnsupportedFormatException"/> for a newer version, <see cref="LogCorruptException"/> for bytes that are none of ours.</summary>
    public static Manifest Decode(PartitionId partition, ReadOnlySpan<byte> bytes)
    {
        var reader = Begin(partition, bytes, ManifestMagic, "manifest");
        var epoch = reader.Int32();
        var logStart = reader.Int64();
        var sealedEnd = reader.Int64();
        var journals = ImmutableArray.CreateBuilder<ListedJournal>();
        for (var left = reader.Count(20); left > 0; left--)
            journals.Add(new ListedJournal(reader.Int32(), reader.Guid()));
        var starts = ImmutableArray.CreateBuilder<EpochStart>();
        for (var left = reader.Count(12); left > 0; left--)
            starts.Add(new EpochStart(reader.Int32(), reader.Int64()));
        var indexes = ImmutableArray.CreateBuilder<RunIndex>();
        for (var left = reader.Count(33); left > 0; left--)
            indexes.Add(new RunIndex(reader.Name(), reader.Int64(), reader.Int64(), reader.Int64(), reader.Int64()));
        var runs = ReadRuns(ref reader, partition);
        var inline = reader.Bool();
        var snapshot = reader.Bytes();
        var snapshotRun = ReadRuns(ref reader, partition);
        reader.End();
        return new Manifest
        {
            LeaderEpoch = epoch, LogStartOffset = logStart, SealedEndOffset = sealedEnd, Journals = journals.ToImmutable(),
            EpochStarts = starts.ToImmutable(), Indexes = indexes.ToImmutable(), Runs = runs,
            ProducerSnapshot = inline ? snapshot : (ReadOnlyMemory<byte>?)null,
            SnapshotRun = snapshotRun.IsEmpty ? null : snapshotRun[0],
        };
    }

    public static byte[] EncodeIndex(PartitionId partition, ImmutableArray<SealedRun> runs)
    {
        var writer = new ManifestWriter();
        writer.UInt32(IndexMagic);
        writer.UInt16(Version);
        WritePartition(writer, partition);
        WriteRuns(writer, partition, runs);
        return writer.Finish();
    }

    /// <summary>Errors as <see cref="Decode"/>.</summary>
    public static ImmutableArray<SealedRun> DecodeIndex(PartitionId partition, ReadOnlySpan<byte> bytes)
    {
        var reader = Begin(partition, bytes, IndexMagic, "index of sealed runs");
        var runs = ReadRuns(ref reader, partition);
        reader.End();
        return runs;
    }

    private static ManifestReader Begin(PartitionId partition, ReadOnlySpan<byte> bytes, uint magic, string what)
    {
        var prefix = SegmentNames.PartitionPrefix(partition);
        var reader = new ManifestReader(bytes, prefix, what);
        if (bytes.Length < 10 || reader.UInt32() != magic)
            throw new LogCorruptException($"The {what} under '{prefix}' does not begin with its magic number.");
        var version = reader.UInt16();
        if (version > Version)
            throw UnsupportedFormatException.Newer($"the {what} under '{prefix}'", version, Version);
        reader.CheckCrc();
        if (reader.Guid() != partition.TopicId || reader.Int32() != partition.Index)
            throw new LogCorruptException($"The {what} under '{prefix}' belongs to another partition.");
        return reader;
    }

    private static void WritePartition(ManifestWriter writer, PartitionId partition)
    {
        writer.Guid(partition.TopicId);
        writer.Int32(partition.Index);
    }

    private static void WriteRuns(ManifestWriter writer, PartitionId partition, ImmutableArray<SealedRun> runs)
    {
        writer.Int32(runs.Length);
        foreach (var run in runs)
        {
            writer.Name(run.ObjectName, SegmentNames.PartitionPrefix(partition));
            writer.Int64(run.ObjectLength);
            writer.Int32(run.LeaderEpoch);
            writer.Int64(run.BaseOffset);
            writer.Int64(run.LastOffset);
            writer.Int64(run.Position);
            writer.Int64(run.Length);
            writer.UInt32(run.Crc);
            writer.Int64(run.FirstTimestamp);
            writer.Int64(run.MaxTimestamp);
            writer.Int64(run.IndexPosition);
            writer.Int32(run.IndexLength);
        }
    }

    private static ImmutableArray<SealedRun> ReadRuns(ref ManifestReader reader, PartitionId partition)
    {
        var runs = ImmutableArray.CreateBuilder<SealedRun>();
        for (var left = reader.Count(79); left > 0; left--)
        {
            runs.Add(new SealedRun(
                reader.Name(), reader.Int64(), partition, reader.Int32(), reader.Int64(), reader.Int64(), reader.Int64(), reader.Int64(),
                reader.UInt32(), reader.Int64(), reader.Int64(), reader.Int64(), reader.Int32()));
        }
        return runs.ToImmutable();
    }
}
