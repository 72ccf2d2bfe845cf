using System.Buffers;
using System.Buffers.Binary;
using OrleansStream.Protocol.Records;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation;

/// <summary>A snapshot of groups says that it covers some records of the log that it does not hold.</summary>
internal sealed class SnapshotCoversTooMuch : Mutation
{
    private const int NextOffsetAt = 26;

    public override IObjectStore Manifests(IObjectStore store) => new Claiming(store);

    private sealed class Claiming(IObjectStore inner) : MutatedStore(inner)
    {
        public override ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel)
        {
            if (!name.Contains("/groups/", StringComparison.Ordinal))
            {
                return Inner.CreateAsync(name, content, cancel);
            }

            var bytes = content.ToArray();
            var next = BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(NextOffsetAt));
            BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(NextOffsetAt), next + 10);
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(bytes.Length - 4), Crc32C.Compute(bytes.AsSpan(0, bytes.Length - 4)));
            return Inner.CreateAsync(name, new ReadOnlySequence<byte>(bytes), cancel);
        }
    }
}
