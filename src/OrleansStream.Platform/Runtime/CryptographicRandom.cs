using System.Security.Cryptography;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Runtime;

/// <summary>Random bytes of the operating system, fetched some hundred at a time: an id costs no system call.</summary>
public sealed class CryptographicRandom : IRandomSource
{
    private readonly Lock _lock = new();
    private readonly byte[] _buffer = new byte[512];
    private int _used = 512;

    public void Fill(Span<byte> bytes)
    {
        if (bytes.Length > _buffer.Length)
        {
            RandomNumberGenerator.Fill(bytes);
            return;
        }
        lock (_lock)
        {
            if (_used + bytes.Length > _buffer.Length)
            {
                RandomNumberGenerator.Fill(_buffer);
                _used = 0;
            }
            _buffer.AsSpan(_used, bytes.Length).CopyTo(bytes);
            // Given out once: whoever reads this memory later learns nothing of old ids.
            _buffer.AsSpan(_used, bytes.Length).Clear();
            _used += bytes.Length;
        }
    }
}
