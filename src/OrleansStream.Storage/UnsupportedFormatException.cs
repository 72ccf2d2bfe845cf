namespace OrleansStream.Storage;

/// <summary>Something stored was written by a newer version of this program: the sentence names it, its version, and the newest one known here.</summary>
public sealed class UnsupportedFormatException : IOException
{
    public UnsupportedFormatException() { }
    public UnsupportedFormatException(string message) : base(message) { }
    public UnsupportedFormatException(string message, Exception inner) : base(message, inner) { }

    /// <param name="what">The file or object, by name.</param>
    /// <param name="version">Its format version.</param>
    /// <param name="known">The newest version that this program knows.</param>
    public static UnsupportedFormatException Newer(string what, int version, int known) =>
        new($"{what} was written by a newer version of this program (format {version}, this one knows up to {known})");
}
