using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Logs;

/// <summary>Compare-and-swap of a manifest whose end is always known: what ended unknown is resolved by reading it back.</summary>
internal static class ManifestSwap
{
    /// <summary>
    /// Answers Done or Conflict, never Unknown. The same bytes are tried until their end is known, because a lost request may still arrive:
    /// with the same ETag condition it does so at most once. Throws <see cref="LogUnavailableException"/> after <paramref name="maxTries"/>; the
    /// swap may have happened then.
    /// </summary>
    public static async ValueTask<PutResult> RunAsync(
        IManifestStore store, PartitionId id, ReadOnlyMemory<byte> bytes, string? etag, Backoff backoff, int maxTries, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                var result = await store.SwapAsync(id, bytes, etag, cancel);
                if (result.Outcome == PutOutcome.Done)
                    return result;
                // A conflict may be with our own earlier try, whose answer was lost.
                var there = await store.LoadAsync(id, cancel);
                if (there is not null && there.Content.Span.SequenceEqual(bytes.Span))
                    return PutResult.Done(there.ETag);
                if (result.Outcome == PutOutcome.Conflict || there?.ETag != etag)
                    return PutResult.Conflict;
            }
            catch (StoreUnavailableException e) when (backoff.Tries + 1 >= maxTries)
            {
                throw new LogUnavailableException($"The store of partition {id}'s manifest is away.", e);
            }
            catch (StoreUnavailableException)
            {
                // Tried again below.
            }
            if (backoff.Tries + 1 >= maxTries)
                throw new LogUnavailableException($"The store of partition {id}'s manifest does not answer.");
            await backoff.PauseAsync(cancel);
        }
    }
}
