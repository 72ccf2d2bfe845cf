namespace OrleansStream.Protocol;

/// <summary>Bytes that are not what the schema says: truncated, a length that is negative or beyond the frame, null where a value is due.</summary>
public sealed class ProtocolException : Exception
{
    public ProtocolException() { }
    public ProtocolException(string message) : base(message) { }
    public ProtocolException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>
/// A message in a version that cannot carry it: the version is not one of the schema's, or a field that is not ignorable has a value that the version
/// has no place for. Where it comes from writing, it is a defect of the writer.
/// </summary>
public sealed class UnsupportedVersionException : Exception
{
    public UnsupportedVersionException() { }
    public UnsupportedVersionException(string message) : base(message) { }
    public UnsupportedVersionException(string message, Exception inner) : base(message, inner) { }

    /// <summary>For the generated codecs: a version outside of the schema's range.</summary>
    public static void ThrowVersion(string message, short version) => throw new UnsupportedVersionException($"{message} has no version {version}");

    /// <summary>For the generated codecs: a field with a value in a version without the field.</summary>
    public static void ThrowField(string field, short version) => throw new UnsupportedVersionException($"{field} has a value that version {version} cannot carry");
}
