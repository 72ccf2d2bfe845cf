using System.Globalization;

namespace OrleansStream.Storage.Journals.Disk;

/// <summary>
/// The files of a disk journal's folder, told apart by name alone:
/// <c>journal-N</c> holds, or is about to hold, blocks (N rises, 20 digits); <c>spare-N</c> waits to be recycled; <c>fresh-N</c> is being zeroed;
/// <c>fence-ID</c> says where the dead journal ID ended when it was first replayed.
/// </summary>
internal static class RingFileName
{
    public const string JournalPrefix = "journal-";
    public const string SparePrefix = "spare-";
    public const string FreshPrefix = "fresh-";
    public const string FencePrefix = "fence-";

    public static string Journal(long number) => JournalPrefix + Digits(number);
    public static string Spare(long number) => SparePrefix + Digits(number);
    public static string Fresh(long number) => FreshPrefix + Digits(number);
    public static string Fence(Guid journalId) => FencePrefix + journalId.ToString("N");

    public static long NumberOf(string name)
    {
        var dash = name.LastIndexOf('-');
        return long.TryParse(name.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;
    }

    private static string Digits(long number) => number.ToString("D20", CultureInfo.InvariantCulture);
}
