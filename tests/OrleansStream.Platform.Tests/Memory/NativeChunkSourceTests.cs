using OrleansStream.Platform.Memory;

namespace OrleansStream.Platform.Tests.Memory;

public sealed class NativeChunkSourceTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(64 << 10)]
    [InlineData((2 << 20) - 1)]
    [InlineData(2 << 20)]
    [InlineData((5 << 20) + 123)]
    public unsafe void A_chunk_is_aligned_writable_to_its_end_and_gone_when_disposed(int length)
    {
        var source = new NativeChunkSource();
        var chunk = source.Allocate(length);
        Assert.Equal(length, chunk.Memory.Length);
        using (var pin = chunk.Memory.Pin())
            Assert.Equal(0, (nint)pin.Pointer % (length >= 2 << 20 && OperatingSystem.IsLinux() ? 2 << 20 : 4096));
        source.Touch(chunk.Memory);
        chunk.Memory.Span.Fill(7);
        Assert.False(chunk.Memory.Span.ContainsAnyExcept((byte)7));
        var memory = chunk.Memory;
        chunk.Dispose();
        Assert.Throws<ObjectDisposedException>(() => memory.Span.Length);
        chunk.Dispose();
    }
}
