using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;

namespace OrleansStream.Protocol;

/// <summary>
/// Writes Kafka's primitive types into one pooled buffer. Records are not copied in: the writer remembers where they go (a splice), so that a fetch's
/// payload is copied once, from hot memory to the socket's buffer.
/// <para>Use, one writer for each connection, again and again: <c>w.Reset(); int frame = w.BeginLength(); header.Write(w, 1); body.Write(w, version);
/// w.EndLength(frame); await w.WriteToAsync(pipe, cancel);</c> The spliced memory must stay valid until the last call is done.</para>
/// <para>No allocation for a field; the buffer grows and is kept. Not thread-safe. <see cref="Dispose"/> gives the buffer back.</para>
/// </summary>
public sealed class KafkaWriter : IDisposable
{
    private const int FlushBytes = 256 * 1024;

    private readonly List<Splice> _splices = [];
    private byte[] _buffer;
    private int _at;
    private int _splicedBytes;

    private readonly record struct Splice(int At, ReadOnlySequence<byte> Bytes);

    public KafkaWriter(int capacity = 4096) => _buffer = ArrayPool<byte>.Shared.Rent(capacity);

    /// <summary>Bytes written so far, the spliced ones included.</summary>
    public int Length => _at + _splicedBytes;

    /// <summary>Forgets what was written. A buffer above 1 MiB is given back, so that one large answer does not stay with its connection.</summary>
    public void Reset()
    {
        _at = 0;
        _splicedBytes = 0;
        _splices.Clear();
        if (_buffer.Length <= 1024 * 1024)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = ArrayPool<byte>.Shared.Rent(4096);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _at = 0;
        _splicedBytes = 0;
        _splices.Clear();
    }

    public void WriteBool(bool value) => WriteInt8(value ? (sbyte)1 : (sbyte)0);

    public void WriteInt8(sbyte value)
    {
        Room(1)[0] = (byte)value;
        _at++;
    }

    public void WriteInt16(short value)
    {
        BinaryPrimitives.WriteInt16BigEndian(Room(sizeof(short)), value);
        _at += sizeof(short);
    }

    public void WriteUInt16(ushort value) => WriteInt16((short)value);

    public void WriteInt32(int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(Room(sizeof(int)), value);
        _at += sizeof(int);
    }

    public void WriteUInt32(uint value) => WriteInt32((int)value);

    public void WriteInt64(long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(Room(sizeof(long)), value);
        _at += sizeof(long);
    }

    public void WriteFloat64(double value) => WriteInt64(BitConverter.DoubleToInt64Bits(value));

    public void WriteUuid(Guid value)
    {
        value.TryWriteBytes(Room(16), bigEndian: true, out _);
        _at += 16;
    }

    public void WriteUnsignedVarint(uint value)
    {
        Span<byte> room = Room(5);
        int i = 0;
        for (; value >= 0x80; value >>= 7)
            room[i++] = (byte)(value | 0x80);
        room[i++] = (byte)value;
        _at += i;
    }

    /// <summary>A zigzag varint.</summary>
    public void WriteVarint(int value) => WriteUnsignedVarint((uint)((value << 1) ^ (value >> 31)));

    /// <summary>A zigzag varlong.</summary>
    public void WriteVarlong(long value)
    {
        Span<byte> room = Room(10);
        int i = 0;
        ulong raw = (ulong)((value << 1) ^ (value >> 63));
        for (; raw >= 0x80; raw >>= 7)
            room[i++] = (byte)(raw | 0x80);
        room[i++] = (byte)raw;
        _at += i;
    }

    /// <summary>A string, of at most <see cref="KafkaReader.MaxStringBytes"/> bytes.</summary>
    public void WriteString(bool compact, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        int length = Encoding.UTF8.GetByteCount(value);
        if (length > KafkaReader.MaxStringBytes)
            throw new ArgumentException($"a string of {length} bytes is longer than Kafka's {KafkaReader.MaxStringBytes}", nameof(value));
        if (compact)
            WriteUnsignedVarint((uint)length + 1);
        else
            WriteInt16((short)length);
        Encoding.UTF8.GetBytes(value, Room(length));
        _at += length;
    }

    public void WriteNullableString(bool compact, string? value)
    {
        if (value is not null)
            WriteString(compact, value);
        else if (compact)
            WriteUnsignedVarint(0);
        else
            WriteInt16(-1);
    }

    public void WriteBytes(bool compact, byte[] value)
    {
        ArgumentNullException.ThrowIfNull(value);
        WriteArrayLength(compact, value.Length);
        WriteRaw(value);
    }

    public void WriteNullableBytes(bool compact, byte[]? value)
    {
        WriteArrayLength(compact, value?.Length ?? -1);
        WriteRaw(value);
    }

    /// <summary>A records field, not copied: the memory must stay until the bytes have left the writer. Null is written as null.</summary>
    public void WriteNullableRecords(bool compact, in ReadOnlySequence<byte>? records)
    {
        if (records is { } bytes)
            WriteRecords(compact, bytes);
        else
            WriteArrayLength(compact, -1);
    }

    public void WriteRecords(bool compact, in ReadOnlySequence<byte> records)
    {
        int length = checked((int)records.Length);
        WriteArrayLength(compact, length);
        if (length == 0)
            return;
        _splices.Add(new Splice(_at, records));
        _splicedBytes = checked(_splicedBytes + length);
    }

    /// <summary>An array's count, or a byte field's length; -1 is null.</summary>
    public void WriteArrayLength(bool compact, int count)
    {
        if (compact)
            WriteUnsignedVarint((uint)(count + 1));
        else
            WriteInt32(count);
    }

    public void WriteRaw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        _at += bytes.Length;
    }

    /// <summary>Leaves four bytes for the length of what follows: a frame's start. Pass the result to <see cref="EndLength"/>.</summary>
    public int BeginLength()
    {
        int mark = Length;
        WriteInt32(0);
        return mark;
    }

    /// <summary>Fills in a length, the spliced bytes counted. Nothing may be spliced between the writer's start and the mark.</summary>
    public void EndLength(int mark) => BinaryPrimitives.WriteInt32BigEndian(_buffer.AsSpan(mark), Length - mark - sizeof(int));

    /// <summary>Starts a tagged field whose size is not known yet.</summary>
    public int BeginTagged(uint tag)
    {
        WriteUnsignedVarint(tag);
        Room(1);
        return _at++;
    }

    /// <summary>Fills in the tagged field's size. Its bytes move where the size takes more than one byte; no splice is ever inside.</summary>
    public void EndTagged(int mark)
    {
        int size = _at - mark - 1;
        int extra = size < 0x80 ? 0 : size < 0x4000 ? 1 : size < 0x20_0000 ? 2 : size < 0x1000_0000 ? 3 : 4;
        if (extra > 0)
        {
            Room(extra);
            _buffer.AsSpan(mark + 1, size).CopyTo(_buffer.AsSpan(mark + 1 + extra));
        }
        int end = _at + extra;
        _at = mark;
        WriteUnsignedVarint((uint)size);
        _at = end;
    }

    /// <summary>Copies everything, splices in place.</summary>
    public void CopyTo(IBufferWriter<byte> target)
    {
        ArgumentNullException.ThrowIfNull(target);
        int from = 0;
        foreach (Splice splice in _splices)
        {
            target.Write(_buffer.AsSpan(from, splice.At - from));
            foreach (ReadOnlyMemory<byte> part in splice.Bytes)
                target.Write(part.Span);
            from = splice.At;
        }
        target.Write(_buffer.AsSpan(from, _at - from));
    }

    /// <summary>
    /// Writes everything to the pipe, flushing every 256 to 512 KiB, so that a large fetch to a slow client does not pile up in the pipe, and at the end.
    /// Returns the last flush: where it says completed or cancelled, the rest was not written.
    /// </summary>
    public async ValueTask<FlushResult> WriteToAsync(PipeWriter pipe, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(pipe);
        int unflushed = 0;
        int from = 0;
        foreach (Splice splice in _splices)
        {
            pipe.Write(_buffer.AsSpan(from, splice.At - from));
            unflushed += splice.At - from;
            from = splice.At;
            foreach (ReadOnlyMemory<byte> part in splice.Bytes)
            {
                for (int at = 0; at < part.Length; at += FlushBytes)
                {
                    int size = Math.Min(FlushBytes, part.Length - at);
                    pipe.Write(part.Span.Slice(at, size));
                    unflushed += size;
                    if (unflushed < FlushBytes)
                        continue;
                    unflushed = 0;
                    FlushResult flushed = await pipe.FlushAsync(cancel);
                    if (flushed.IsCompleted || flushed.IsCanceled)
                        return flushed;
                }
            }
        }
        pipe.Write(_buffer.AsSpan(from, _at - from));
        return await pipe.FlushAsync(cancel);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<byte> Room(int bytes)
    {
        if (_buffer.Length - _at < bytes)
            Grow(bytes);
        return _buffer.AsSpan(_at);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(int bytes)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(checked(Math.Max(_buffer.Length * 2, _at + bytes)));
        _buffer.AsSpan(0, _at).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
