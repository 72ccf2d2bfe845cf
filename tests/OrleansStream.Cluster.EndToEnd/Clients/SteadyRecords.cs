using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using OrleansStream.Cluster.EndToEnd.History;

namespace OrleansStream.Cluster.EndToEnd.Clients;

/// <summary>
/// The records of a steady client: text, since the tools take and print lines; all of key and value follows from the record's number (tests/clients/python/steady.py).
/// </summary>
/// <param name="producer">Whose they are.</param>
/// <param name="bare">As kafka-verifiable-producer makes them: without the text that makes them longer.</param>
internal sealed class SteadyRecords(int producer, bool bare)
{
    public const int Keys = 97;

    /// <summary>Null where key or value is not what was sent.</summary>
    public Payload? Parse(string? key, string? value)
    {
        string[] parts = value?.Split('.') ?? [];
        if (parts.Length < 2 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int number)) return null;
        return key == (number % Keys).ToString(CultureInfo.InvariantCulture) && value == Value(number) ? new Payload(producer, number) : null;
    }

    private string Value(int number)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{producer}.{number}");
        if (bare) return name;
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        return $"{name}.{hash}{hash}{hash}{hash}";
    }
}
