using System.Buffers;
using OrleansStream.Storage.Ports;

namespace OrleansStream.TestSupport;

/// <summary>Chunks as plain arrays, counted: a test sees what was not given back.</summary>
public sealed class ArrayChunkSource : IChunkSource
{
    private long _bytesOut;

    /// <summary>Bytes allocated and not disposed yet.</summary>
    public long BytesOut => Interlocked.Read(ref _bytesOut);

    public IMemoryOwner<byte> Allocate(int length)
    {
        Interlocked.Add(ref _bytesOut, length);
        return new Owner(this, new byte[length]);
    }

    public void Touch(Memory<byte> memory) { }

    private sealed class Owner(ArrayChunkSource source, byte[] array) : IMemoryOwner<byte>
    {
        private byte[]? _array = array;

        public Memory<byte> Memory => _array ?? throw new ObjectDisposedException(nameof(ArrayChunkSource));

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _array, null) is { } gone)
                Interlocked.Add(ref source._bytesOut, -gone.Length);
        }
    }
}
