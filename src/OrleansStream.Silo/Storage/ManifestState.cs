using Orleans;
using Orleans.Storage;

namespace OrleansStream.Silo.Storage;

/// <summary>A partition's manifest as its grain's state: the bytes that Storage reads and writes, and nothing around them.</summary>
[GenerateSerializer, Alias("OrleansStream.ManifestState")]
public sealed class ManifestState
{
    [Id(0)]
    public ReadOnlyMemory<byte> Bytes { get; set; }
}

/// <summary>Keeps a manifest's bytes as they are, so that an engine without grains reads the same objects.</summary>
public sealed class ManifestSerializer : IGrainStorageSerializer
{
    public BinaryData Serialize<T>(T? input) => input is ManifestState manifest ? new BinaryData(manifest.Bytes) : throw NotAManifest<T>();

    public T? Deserialize<T>(BinaryData input) => new ManifestState { Bytes = input.ToMemory() } is T manifest ? manifest : throw NotAManifest<T>();

    private static NotSupportedException NotAManifest<T>() => new($"this storage keeps manifests only, not {typeof(T)}");
}
