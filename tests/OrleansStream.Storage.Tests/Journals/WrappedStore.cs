using System.Buffers;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Tests.Journals;

/// <summary>A store that passes everything on: what a test wants otherwise it overrides.</summary>
internal abstract class WrappedStore(IObjectStore inner) : IObjectStore
{
    protected IObjectStore Inner => inner;

    public virtual ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel) => inner.CreateAsync(name, content, cancel);

    public virtual ValueTask<PutResult> ReplaceAsync(string name, ReadOnlySequence<byte> content, string etag, CancellationToken cancel) =>
        inner.ReplaceAsync(name, content, etag, cancel);

    public virtual ValueTask<StoredObject?> ReadAsync(string name, CancellationToken cancel) => inner.ReadAsync(name, cancel);

    public virtual ValueTask<int> ReadRangeAsync(string name, long offset, Memory<byte> destination, CancellationToken cancel) =>
        inner.ReadRangeAsync(name, offset, destination, cancel);

    public virtual ValueTask DeleteAsync(string name, CancellationToken cancel) => inner.DeleteAsync(name, cancel);

    public virtual IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancel) => inner.ListAsync(prefix, cancel);
}
