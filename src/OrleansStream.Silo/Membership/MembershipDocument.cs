using System.Text.Json;
using System.Text.Json.Serialization;
using Orleans;
using Orleans.Runtime;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Membership;

/// <summary>
/// All rows of the membership table and its version, as they stand in one object: JSON, because this is what an operator looks at when silos do not find
/// each other. It is small: Orleans itself keeps it at the living silos and a few dead ones.
/// </summary>
internal sealed record MembershipDocument
{
    /// <summary>The format that this program writes.</summary>
    public const int FormatVersion = 1;

    // Enough that a writer whose answer was lost finds its own write though others have written since.
    private const int RememberedWrites = 32;

    public int Format { get; init; } = FormatVersion;

    /// <summary>The table's version, which rises by one with every change of membership.</summary>
    public int Version { get; init; }

    /// <summary>Changes with <see cref="Version"/> only: Orleans' condition on a write.</summary>
    public string VersionETag { get; init; } = "0";

    /// <summary>Ids of the newest writes of this object, newest first.</summary>
    public IReadOnlyList<Guid> Writes { get; init; } = [];

    public IReadOnlyList<MembershipRow> Silos { get; init; } = [];

    /// <summary>A table that nobody has written yet.</summary>
    public static MembershipDocument Empty { get; } = new();

    /// <summary>Throws <see cref="InvalidDataException"/>, <see cref="UnsupportedFormatException"/>.</summary>
    public static MembershipDocument Parse(string name, ReadOnlyMemory<byte> content)
    {
        MembershipDocument? document;
        try
        {
            document = JsonSerializer.Deserialize(content.Span, MembershipJson.Default.MembershipDocument);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"the object '{name}' is no membership table: {e.Message}", e);
        }
        if (document is null || document.Format < 1)
            throw new InvalidDataException($"the object '{name}' is no membership table");
        return document.Format <= FormatVersion
            ? document
            : throw new UnsupportedFormatException($"the object '{name}' was written by a newer version of this program (format {document.Format})");
    }

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, MembershipJson.Default.MembershipDocument);

    public MembershipDocument WrittenAs(Guid write) => this with { Writes = [write, .. Writes.Take(RememberedWrites - 1)] };

    public MembershipRow? Find(SiloAddress silo)
    {
        string address = silo.ToParsableString();
        return Silos.FirstOrDefault(row => row.Address == address);
    }

    /// <summary>The same table with this row in the place of the one with its address, or added.</summary>
    public MembershipDocument With(MembershipRow row) => this with { Silos = [.. Silos.Where(r => r.Address != row.Address), row] };

    public TableVersion ToTableVersion() => new(Version, VersionETag);
}

/// <summary>One silo. Times are UTC.</summary>
internal sealed record MembershipRow
{
    /// <summary>Address, port and generation as Orleans writes them, parsable.</summary>
    public required string Address { get; init; }

    /// <summary>Changes with everything but <see cref="Alive"/>.</summary>
    public required string ETag { get; init; }

    public required SiloStatus Status { get; init; }
    public string? Name { get; init; }
    public string? Host { get; init; }

    /// <summary>The port of the silo's gateway for Orleans clients; 0: it has none.</summary>
    public int GatewayPort { get; init; }

    public string? Role { get; init; }
    public int UpdateZone { get; init; }
    public int FaultZone { get; init; }
    public DateTime Started { get; init; }
    public DateTime Alive { get; init; }
    public IReadOnlyList<Suspicion> Suspicions { get; init; } = [];

    /// <summary>When somebody last said anything of this silo.</summary>
    [JsonIgnore]
    public DateTime LastHeardOf => Suspicions.Select(static s => s.At).Append(Started).Append(Alive).Max();

    public static MembershipRow From(MembershipEntry entry, string etag) => new()
    {
        Address = entry.SiloAddress.ToParsableString(),
        ETag = etag,
        Status = entry.Status,
        Name = entry.SiloName,
        Host = entry.HostName,
        GatewayPort = entry.ProxyPort,
        Role = entry.RoleName,
        UpdateZone = entry.UpdateZone,
        FaultZone = entry.FaultZone,
        Started = Utc(entry.StartTime),
        Alive = Utc(entry.IAmAliveTime),
        Suspicions = [.. (entry.SuspectTimes ?? []).Select(static s => new Suspicion(s.Item1.ToParsableString(), Utc(s.Item2)))],
    };

    public Tuple<MembershipEntry, string> ToEntry() => new(
        new MembershipEntry
        {
            SiloAddress = SiloAddress.FromParsableString(Address),
            Status = Status,
            SiloName = Name!,
            HostName = Host!,
            ProxyPort = GatewayPort,
            RoleName = Role,
            UpdateZone = UpdateZone,
            FaultZone = FaultZone,
            StartTime = Started,
            IAmAliveTime = Alive,
            SuspectTimes = [.. Suspicions.Select(static s => Tuple.Create(SiloAddress.FromParsableString(s.By), s.At))],
        },
        ETag);

    // Orleans means UTC and often does not say so.
    public static DateTime Utc(DateTime time) => DateTime.SpecifyKind(time, DateTimeKind.Utc);
}

internal sealed record Suspicion(string By, DateTime At);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MembershipDocument))]
internal sealed partial class MembershipJson : JsonSerializerContext;
