using System.Globalization;

namespace OrleansStream.Storage.Journals.Blob;

/// <summary>
/// <c>journal/&lt;journal id&gt;/&lt;sequence, 20 digits&gt;</c>: one name space for data and fence markers, since they must exclude each other. Beside them
/// <c>journal/&lt;journal id&gt;/deleted</c> says that the data went on purpose.
/// </summary>
internal static class JournalObjectName
{
    public const string Root = "journal/";

    public static string Prefix(Guid journalId) => $"{Root}{journalId:N}/";

    public static string Of(Guid journalId, long sequence) => Prefix(journalId) + sequence.ToString("D20", CultureInfo.InvariantCulture);

    public static string Tombstone(Guid journalId) => Prefix(journalId) + "deleted";

    public static bool TryParse(string name, out Guid journalId, out long sequence)
    {
        journalId = default;
        sequence = -1;
        var slash = name.LastIndexOf('/');
        return name.StartsWith(Root, StringComparison.Ordinal) && slash > Root.Length
            && Guid.TryParseExact(name.AsSpan(Root.Length, slash - Root.Length), "N", out journalId)
            && long.TryParse(name.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out sequence);
    }
}
