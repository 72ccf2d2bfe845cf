using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Logs;

/// <summary>A partition's manifest in the hands of its owner, who changes it one swap after another.</summary>
internal sealed class OwnedManifest(PartitionId id, Manifest manifest, string etag, IManifestStore store, TimeProvider time, LogOptions options) : IDisposable
{
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private Manifest _current = manifest;
    private string _etag = etag;
    private volatile bool _lost;

    /// <summary>Whether somebody else has swapped it.</summary>
    public bool Lost => _lost;

    /// <summary>As of the last swap that is known to have happened.</summary>
    public Manifest Current => Volatile.Read(ref _current);

    /// <summary>
    /// Swaps the manifest for a changed one, trying for as long as the store is away. False: somebody else has swapped it; it is no longer ours.
    /// <paramref name="change"/> answers null to leave it as it is.
    /// </summary>
    public async ValueTask<bool> ChangeAsync(Func<Manifest, ValueTask<Manifest?>> change, CancellationToken cancel)
    {
        await _oneAtATime.WaitAsync(cancel);
        try
        {
            if (_lost)
                return false;
            if (await change(_current) is not { } next)
                return true;
            var result = await ManifestSwap.RunAsync(
                store, id, ManifestCodec.Encode(id, next), _etag, new Backoff(time, options), int.MaxValue, cancel);
            if (result.Outcome != PutOutcome.Done)
            {
                _lost = true;
                return false;
            }
            _etag = result.ETag!;
            Volatile.Write(ref _current, next);
            return true;
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    public void Dispose() => _oneAtATime.Dispose();
}
