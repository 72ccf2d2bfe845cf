using System.Buffers;
using System.Runtime.InteropServices;
using OrleansStream.Platform.Files;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Memory;

/// <summary>
/// Chunks outside of the garbage collector's heap. On Linux those of 2 MiB and more lie on 2 MiB boundaries and ask for huge pages, which makes
/// their first touch several times faster (docs/architecture.md); others are aligned to 4 KiB.
/// </summary>
public sealed class NativeChunkSource : IChunkSource
{
    private const int PageBytes = 4096;
    private const int HugePageBytes = 2 << 20;

    private static volatile bool _populateUnsupported;

    public IMemoryOwner<byte> Allocate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        return OperatingSystem.IsLinux() && length >= HugePageBytes ? MappedChunk.Allocate(length) : new AlignedChunk(length);
    }

    public unsafe void Touch(Memory<byte> memory)
    {
        using var pin = memory.Pin();
        var start = (byte*)pin.Pointer;
        if (OperatingSystem.IsLinux() && !_populateUnsupported && (nint)start % PageBytes == 0)
        {
            if (Posix.Advise((nint)start, (nuint)memory.Length, Posix.AdvisePopulateWrite) == 0)
                return;
            _populateUnsupported = Marshal.GetLastPInvokeError() == Posix.EINVAL;
        }
        for (var at = 0; at < memory.Length; at += PageBytes)
            Volatile.Write(ref start[at], 0);
    }

    private abstract unsafe class Chunk(byte* start, int length) : MemoryManager<byte>
    {
        private byte* _start = start;

        protected int Length => length;

        public override Span<byte> GetSpan() => _start is null ? throw new ObjectDisposedException(nameof(NativeChunkSource)) : new Span<byte>(_start, length);

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            ObjectDisposedException.ThrowIf(_start is null, this);
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)length);
            return new MemoryHandle(_start + elementIndex);
        }

        public override void Unpin() { }

        protected override void Dispose(bool disposing)
        {
            if (_start is null)
                return;
            Free(_start);
            _start = null;
        }

        protected abstract void Free(byte* start);
    }

    private sealed unsafe class AlignedChunk(int length) : Chunk((byte*)NativeMemory.AlignedAlloc((nuint)length, PageBytes), length)
    {
        protected override void Free(byte* start) => NativeMemory.AlignedFree(start);
    }

    private sealed unsafe class MappedChunk : Chunk
    {
        private MappedChunk(byte* start, int length) : base(start, length) { }

        public static MappedChunk Allocate(int length)
        {
            var size = RoundUp(length);
            var mapped = Posix.Map(size + HugePageBytes);
            var start = (mapped + HugePageBytes - 1) & ~(nint)(HugePageBytes - 1);
            var before = (nuint)(start - mapped);
            if (before > 0)
                _ = Posix.Unmap(mapped, before);
            if (HugePageBytes - before > 0)
                _ = Posix.Unmap(start + (nint)size, HugePageBytes - before);
            // Advice: where huge pages are off, small ones do as well.
            _ = Posix.Advise(start, size, Posix.AdviseHugePage);
            return new MappedChunk((byte*)start, length);
        }

        protected override void Free(byte* start) => _ = Posix.Unmap((nint)start, RoundUp(Length));

        private static nuint RoundUp(int length) => ((nuint)length + HugePageBytes - 1) / HugePageBytes * HugePageBytes;
    }
}
