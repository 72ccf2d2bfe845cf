using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace OrleansStream.Protocol;

/// <summary>
/// Reads Kafka's primitive types (KIP-482 and the protocol guide's list) from the bytes of one frame, in place.
/// <para>Use: <c>var r = new KafkaReader(frame); var header = RequestHeader.Read(ref r, 2); var body = FetchRequest.Read(ref r, header.RequestApiVersion);
/// r.ExpectEnd();</c> Pass it by <c>ref</c>: it is a cursor.</para>
/// <para>Every fault of the bytes is a <see cref="ProtocolException"/>. No length makes us allocate more than the bytes that are really left: lengths and
/// counts are checked against them first.</para>
/// <para>Strings, byte fields and arrays are copied out. Records are slices of the frame: they live as long as its memory does.</para>
/// </summary>
public ref struct KafkaReader
{
    /// <summary>The longest string that Kafka reads or writes, in bytes.</summary>
    public const int MaxStringBytes = short.MaxValue;

    /// <summary>
    /// The most elements, of all lists of one message together. A struct takes a few bytes on the wire and ten times that in memory, so a frame of
    /// 100 MB that is within its lengths could still fill the memory. Nobody asks for a million topics, partitions or configs at once.
    /// </summary>
    public const int MaxListElements = 1 << 20;

    private readonly ReadOnlySequence<byte> _frame;
    private ReadOnlySpan<byte> _span;
    private int _at;
    private SequencePosition _segment;
    private SequencePosition _nextSegment;

    // Bytes of the segments before the current one, and of the whole frame.
    private long _before;
    private readonly long _length;
    private int _listElements;

    public KafkaReader(ReadOnlySequence<byte> frame)
    {
        _frame = frame;
        _length = frame.Length;
        _segment = frame.Start;
        _nextSegment = frame.Start;
        if (frame.TryGet(ref _nextSegment, out ReadOnlyMemory<byte> memory))
            _span = memory.Span;
    }

    public KafkaReader(ReadOnlyMemory<byte> frame) : this(new ReadOnlySequence<byte>(frame)) { }

    /// <summary>Bytes read so far.</summary>
    public readonly long Consumed => _before + _at;

    /// <summary>Bytes left in the frame.</summary>
    public readonly long Remaining => _length - Consumed;

    public bool ReadBool() => ReadInt8() != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public sbyte ReadInt8()
    {
        if ((uint)_at < (uint)_span.Length)
            return (sbyte)_span[_at++];
        return (sbyte)SlowByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public short ReadInt16()
    {
        if (_span.Length - _at < sizeof(short))
            return SlowInt16();
        short value = BinaryPrimitives.ReadInt16BigEndian(_span[_at..]);
        _at += sizeof(short);
        return value;
    }

    public ushort ReadUInt16() => (ushort)ReadInt16();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ReadInt32()
    {
        if (_span.Length - _at < sizeof(int))
            return SlowInt32();
        int value = BinaryPrimitives.ReadInt32BigEndian(_span[_at..]);
        _at += sizeof(int);
        return value;
    }

    public uint ReadUInt32() => (uint)ReadInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long ReadInt64()
    {
        if (_span.Length - _at < sizeof(long))
            return SlowInt64();
        long value = BinaryPrimitives.ReadInt64BigEndian(_span[_at..]);
        _at += sizeof(long);
        return value;
    }

    public double ReadFloat64() => BitConverter.Int64BitsToDouble(ReadInt64());

    /// <summary>A uuid: 16 bytes, most significant first, as Guid prints it.</summary>
    public Guid ReadUuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        ReadInto(bytes);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>An unsigned varint of at most 5 bytes, as lengths and tags have.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint ReadUnsignedVarint()
    {
        if ((uint)_at < (uint)_span.Length && _span[_at] < 0x80)
            return _span[_at++];
        return SlowUnsignedVarint();
    }

    /// <summary>A zigzag varint, as record fields have.</summary>
    public int ReadVarint()
    {
        uint raw = ReadUnsignedVarint();
        return (int)(raw >> 1) ^ -(int)(raw & 1);
    }

    /// <summary>A zigzag varlong of at most 10 bytes.</summary>
    public long ReadVarlong()
    {
        ulong raw = 0;
        for (int shift = 0; shift <= 63; shift += 7)
        {
            byte b = (byte)ReadInt8();
            raw |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80)
                return (long)(raw >> 1) ^ -(long)(raw & 1);
        }
        throw Malformed("a varlong of more than 10 bytes");
    }

    /// <summary>A string that must not be null. Bytes that are no UTF-8 become replacement characters, as in Kafka.</summary>
    public string ReadString(bool compact)
    {
        int length = ReadStringLength(compact);
        return length >= 0 ? Utf8(length) : throw Malformed("null where a string is due");
    }

    public string? ReadNullableString(bool compact)
    {
        int length = ReadStringLength(compact);
        return length >= 0 ? Utf8(length) : null;
    }

    /// <summary>A copy of a bytes field that must not be null.</summary>
    public byte[] ReadBytes(bool compact) => ReadNullableBytes(compact) ?? throw Malformed("null where bytes are due");

    public byte[]? ReadNullableBytes(bool compact)
    {
        int length = ReadLength(compact);
        if (length < 0)
            return null;
        if (length == 0)
            return [];
        byte[] copy = GC.AllocateUninitializedArray<byte>(length);
        ReadInto(copy);
        return copy;
    }

    /// <summary>A records field: a slice of the frame, not a copy.</summary>
    public ReadOnlySequence<byte> ReadRecords(bool compact) => ReadNullableRecords(compact) ?? throw Malformed("null where records are due");

    public ReadOnlySequence<byte>? ReadNullableRecords(bool compact)
    {
        int length = ReadLength(compact);
        return length < 0 ? null : ReadSlice(length);
    }

    /// <summary>The next bytes as a slice of the frame.</summary>
    public ReadOnlySequence<byte> ReadSlice(int length)
    {
        CheckLeft(length);
        ReadOnlySequence<byte> slice = _frame.Slice(_frame.GetPosition(_at, _segment), length);
        Skip(length);
        return slice;
    }

    /// <summary>The element count of a list that must not be null.</summary>
    /// <param name="compact">Flexible versions have a varint of count + 1.</param>
    /// <param name="leastElementBytes">The fewest bytes that an element can take: a count that needs more than what is left is refused.</param>
    public int ReadListLength(bool compact, int leastElementBytes)
    {
        int count = ReadNullableListLength(compact, leastElementBytes);
        return count >= 0 ? count : throw Malformed("null where an array is due");
    }

    /// <summary>The same where the list may be null: then -1.</summary>
    public int ReadNullableListLength(bool compact, int leastElementBytes)
    {
        int count = ReadNullableArrayLength(compact, leastElementBytes);
        if (count > MaxListElements - _listElements)
            throw Malformed($"more than {MaxListElements} list elements");
        _listElements += Math.Max(count, 0);
        return count;
    }

    /// <summary>The element count of an array of fixed-width elements, -1 for null.</summary>
    public int ReadNullableArrayLength(bool compact, int leastElementBytes)
    {
        int count = compact ? (int)ReadUnsignedVarint() - 1 : ReadInt32();
        if (count < -1 || (long)count * leastElementBytes > Remaining)
            throw Malformed($"an array of {count} elements in {Remaining} bytes");
        return count;
    }

    /// <summary>
    /// What a list for <paramref name="count"/> elements starts with: an element in memory is larger than on the wire, so a count that lies within
    /// the frame's size must not be believed at once.
    /// </summary>
    public static int ListCapacity(int count) => Math.Min(count, 1024);

    /// <summary>Passes over tagged fields that nobody here knows (KIP-482).</summary>
    public void SkipTaggedFields()
    {
        for (uint count = ReadUnsignedVarint(); count > 0; count--)
        {
            ReadUnsignedVarint();
            SkipTaggedField(ReadTaggedSize());
        }
    }

    /// <summary>The byte size of a tagged field, after its tag.</summary>
    public int ReadTaggedSize()
    {
        int size = (int)ReadUnsignedVarint();
        CheckLeft(size);
        return size;
    }

    public void SkipTaggedField(int size) => Skip(size);

    /// <summary>Checks that a tagged field's value took the bytes that it said.</summary>
    /// <param name="end">Value of <see cref="Consumed"/> where it should end.</param>
    public readonly void ExpectAt(long end)
    {
        if (Consumed != end)
            throw Malformed($"a tagged field that should have ended at {end}");
    }

    /// <summary>Checks that the whole frame was read.</summary>
    public readonly void ExpectEnd()
    {
        if (Remaining != 0)
            throw Malformed($"{Remaining} bytes behind the message's end");
    }

    public void Skip(int length)
    {
        CheckLeft(length);
        while (length > _span.Length - _at)
        {
            length -= _span.Length - _at;
            _at = _span.Length;
            NextSegment();
        }
        _at += length;
    }

    /// <summary>Fills <paramref name="target"/> with the next bytes.</summary>
    public void ReadInto(scoped Span<byte> target)
    {
        if (target.Length <= _span.Length - _at)
        {
            _span.Slice(_at, target.Length).CopyTo(target);
            _at += target.Length;
            return;
        }
        CheckLeft(target.Length);
        while (target.Length > 0)
        {
            if (_at == _span.Length)
                NextSegment();
            int part = Math.Min(target.Length, _span.Length - _at);
            _span.Slice(_at, part).CopyTo(target);
            _at += part;
            target = target[part..];
        }
    }

    private int ReadStringLength(bool compact)
    {
        int length = compact ? (int)ReadUnsignedVarint() - 1 : ReadInt16();
        if (length < -1 || length > MaxStringBytes)
            throw Malformed($"a string of {length} bytes");
        if (length > 0)
            CheckLeft(length);
        return length;
    }

    private int ReadLength(bool compact)
    {
        int length = compact ? (int)ReadUnsignedVarint() - 1 : ReadInt32();
        if (length != -1)
            CheckLeft(length);
        return length;
    }

    private string Utf8(int length)
    {
        if (length <= _span.Length - _at)
        {
            string text = Encoding.UTF8.GetString(_span.Slice(_at, length));
            _at += length;
            return text;
        }
        return SlowUtf8(length);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private string SlowUtf8(int length)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        ReadInto(rented.AsSpan(0, length));
        string text = Encoding.UTF8.GetString(rented, 0, length);
        ArrayPool<byte>.Shared.Return(rented);
        return text;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte SlowByte()
    {
        CheckLeft(1);
        while (_at == _span.Length)
            NextSegment();
        return _span[_at++];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private short SlowInt16()
    {
        Span<byte> bytes = stackalloc byte[sizeof(short)];
        ReadInto(bytes);
        return BinaryPrimitives.ReadInt16BigEndian(bytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int SlowInt32()
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        ReadInto(bytes);
        return BinaryPrimitives.ReadInt32BigEndian(bytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private long SlowInt64()
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        ReadInto(bytes);
        return BinaryPrimitives.ReadInt64BigEndian(bytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint SlowUnsignedVarint()
    {
        uint value = 0;
        for (int shift = 0; shift <= 28; shift += 7)
        {
            byte b = (byte)ReadInt8();
            value |= (uint)(b & 0x7f) << shift;
            if (b < 0x80)
                return value;
        }
        throw Malformed("a varint of more than 5 bytes");
    }

    /// <summary>Steps to the next segment. Empty ones exist; the caller has checked that bytes are left.</summary>
    private void NextSegment()
    {
        _before += _span.Length;
        _at = 0;
        _segment = _nextSegment;
        _span = _frame.TryGet(ref _nextSegment, out ReadOnlyMemory<byte> memory) ? memory.Span : throw Malformed("the frame's end");
    }

    private readonly void CheckLeft(int length)
    {
        if (length < 0 || length > Remaining)
            throw Malformed($"a length of {length} with {Remaining} bytes left");
    }

    /// <summary>For the generated codecs: null in a version where the field cannot be null.</summary>
    public readonly ProtocolException NullValue() => Malformed("null where a value is due");

    private readonly ProtocolException Malformed(string what) => new($"at byte {Consumed} of {_length}: {what}");
}
