using System.Buffers;
using System.Runtime.CompilerServices;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Stores;

/// <summary>What one may set of an <see cref="AzureObjectStore"/>.</summary>
public sealed record AzureStoreOptions
{
    /// <summary>Patience with one request.</summary>
    public TimeSpan NetworkTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Tries after the first one for reads, lists and deletes. Conditional writes have none.</summary>
    public int Retries { get; init; } = 4;

    /// <summary>Objects above this go up as blocks of this size.</summary>
    public int BlockBytes { get; init; } = 8 << 20;

    /// <summary>Blocks of one object under way at a time.</summary>
    public int Concurrency { get; init; } = 4;
}

/// <summary>
/// An object store in one container of Azure Blob Storage, or of Azurite. Status codes stay inside: Azure says 409 to a create that met another and 412 to a
/// replace that came too late.
/// </summary>
public sealed class AzureObjectStore : IObjectStore
{
    private readonly BlobContainerClient _once;
    private readonly BlobContainerClient _retrying;
    private readonly AzureStoreOptions _options;

    private AzureObjectStore(BlobContainerClient once, BlobContainerClient retrying, AzureStoreOptions options)
    {
        _once = once;
        _retrying = retrying;
        _options = options;
    }

    /// <summary>Connects and makes the container if it is missing. Throws <see cref="StoreUnavailableException"/> where that fails.</summary>
    /// <param name="connection">A connection string, "UseDevelopmentStorage=true", or an account URL (with a signature, or for DefaultAzureCredential).</param>
    public static async Task<AzureObjectStore> OpenAsync(string connection, string container, AzureStoreOptions? options, CancellationToken cancel)
    {
        options ??= new AzureStoreOptions();
        var retrying = AzureConnection.Connect(connection, container, options.Retries, options.NetworkTimeout);
        var once = AzureConnection.Connect(connection, container, retries: 0, options.NetworkTimeout);
        var store = new AzureObjectStore(once, retrying, options);
        await AttemptAsync($"open container '{container}'", async () => await retrying.CreateIfNotExistsAsync(cancellationToken: cancel), cancel);
        return store;
    }

    public ValueTask<PutResult> CreateAsync(string name, ReadOnlySequence<byte> content, CancellationToken cancel) =>
        PutAsync(name, content, new BlobRequestConditions { IfNoneMatch = ETag.All }, cancel);

    public ValueTask<PutResult> ReplaceAsync(string name, ReadOnlySequence<byte> content, string etag, CancellationToken cancel) =>
        PutAsync(name, content, new BlobRequestConditions { IfMatch = new ETag($"\"{etag}\"") }, cancel);

    public async ValueTask<StoredObject?> ReadAsync(string name, CancellationToken cancel)
    {
        try
        {
            return await AttemptAsync($"read '{name}'", async () =>
            {
                var result = (await _retrying.GetBlobClient(name).DownloadContentAsync(cancel)).Value;
                return new StoredObject(result.Content.ToMemory(), Plain(result.Details.ETag));
            }, cancel);
        }
        catch (ObjectNotFoundException)
        {
            return null;
        }
    }

    public async ValueTask<int> ReadRangeAsync(string name, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        if (destination.IsEmpty)
            return 0;
        return await AttemptAsync($"read '{name}' at byte {offset}", async () =>
        {
            var options = new BlobDownloadOptions { Range = new HttpRange(offset, destination.Length) };
            try
            {
                using var result = (await _retrying.GetBlobClient(name).DownloadStreamingAsync(options, cancel)).Value;
                return await result.Content.ReadAtLeastAsync(destination, destination.Length, throwOnEndOfStream: false, cancel);
            }
            catch (RequestFailedException error) when (error.Status == 416)
            {
                return 0;
            }
        }, cancel);
    }

    public async ValueTask DeleteAsync(string name, CancellationToken cancel) =>
        await AttemptAsync($"delete '{name}'", async () => await _retrying.GetBlobClient(name).DeleteIfExistsAsync(cancellationToken: cancel), cancel);

    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        await using var blobs = _retrying.GetBlobsAsync(BlobTraits.None, BlobStates.None, prefix, cancel).GetAsyncEnumerator(cancel);
        while (await AttemptAsync($"list '{prefix}'", async () => await blobs.MoveNextAsync(), cancel))
            yield return new ObjectInfo(blobs.Current.Name, blobs.Current.Properties.ContentLength ?? 0);
    }

    private async ValueTask<PutResult> PutAsync(string name, ReadOnlySequence<byte> content, BlobRequestConditions conditions, CancellationToken cancel)
    {
        try
        {
            var etag = content.Length <= _options.BlockBytes
                ? await UploadAsync(name, content, conditions, cancel)
                : await UploadBlocksAsync(name, content, conditions, cancel);
            return PutResult.Done(etag);
        }
        catch (RequestFailedException error) when (IsConflict(error))
        {
            return PutResult.Conflict;
        }
        catch (RequestFailedException error) when (error.Status is >= 400 and < 500 and not 408 and not 429)
        {
            // Refused before anything was written: credentials, a missing container, a malformed request.
            throw new StoreUnavailableException($"'{name}' was refused: {error.Status} {error.ErrorCode}", error);
        }
        catch (Exception error) when (IsUnavailable(error, cancel))
        {
            return PutResult.Unknown;
        }
    }

    private async Task<string> UploadAsync(string name, ReadOnlySequence<byte> content, BlobRequestConditions conditions, CancellationToken cancel)
    {
        using var stream = new SequenceStream(content);
        using var put = conditions.IfNoneMatch is { } none
            ? SinglePutPolicy.Begin("If-None-Match", none.ToString())
            : SinglePutPolicy.Begin("If-Match", conditions.IfMatch!.Value.ToString());
        var response = await _once.GetBlockBlobClient(name).StageBlockAsync("AAAA", stream, cancellationToken: cancel);
        return Plain(response.GetRawResponse().Headers.ETag!.Value);
    }

    /// <summary>
    /// Blocks go up side by side and may be tried again, since they are nothing until they are committed, under the condition, once. Blocks of an upload that
    /// fails vanish by themselves after a week.
    /// </summary>
    private async Task<string> UploadBlocksAsync(
        string name, ReadOnlySequence<byte> content, BlobRequestConditions conditions, CancellationToken cancel)
    {
        var blob = _retrying.GetBlockBlobClient(name);
        // Two writers of one name must not mix blocks.
        var upload = Guid.NewGuid();
        var ids = new string[(content.Length + _options.BlockBytes - 1) / _options.BlockBytes];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = _options.Concurrency, CancellationToken = cancel };
        await Parallel.ForAsync(0, ids.Length, parallel, async (i, stop) =>
        {
            var id = new byte[20];
            upload.TryWriteBytes(id);
            BitConverter.TryWriteBytes(id.AsSpan(16), i);
            ids[i] = Convert.ToBase64String(id);
            var from = (long)i * _options.BlockBytes;
            using var stream = new SequenceStream(content.Slice(from, Math.Min(_options.BlockBytes, content.Length - from)));
            await blob.StageBlockAsync(ids[i], stream, cancellationToken: stop);
        });
        var options = new CommitBlockListOptions { Conditions = conditions };
        return Plain((await _once.GetBlockBlobClient(name).CommitBlockListAsync(ids, options, cancel)).Value.ETag);
    }

    /// <summary>Without the quotes, which the SDK sometimes keeps and sometimes does not.</summary>
    private static string Plain(ETag etag) => etag.ToString().Trim('"');

    private static bool IsConflict(RequestFailedException error) =>
        error.Status == 412
        || (error.Status == 409 && error.ErrorCode == BlobErrorCode.BlobAlreadyExists)
        || (error.Status == 404 && error.ErrorCode == BlobErrorCode.BlobNotFound);

    /// <summary>The network's and the service's failures; a missing assembly is an IOException too, and a defect.</summary>
    private static bool IsUnavailable(Exception error, CancellationToken cancel) => error switch
    {
        FileNotFoundException or FileLoadException => false,
        OperationCanceledException => !cancel.IsCancellationRequested,
        AggregateException several => several.InnerExceptions.All(e => IsUnavailable(e, cancel)),
        _ => error is RequestFailedException or IOException or HttpRequestException or Azure.Identity.AuthenticationFailedException,
    };

    private static async Task<T> AttemptAsync<T>(string what, Func<Task<T>> call, CancellationToken cancel)
    {
        try
        {
            return await call();
        }
        catch (RequestFailedException error) when (error.Status == 404 && error.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            throw new ObjectNotFoundException($"cannot {what}: no such object", error);
        }
        catch (Exception error) when (error is not ObjectNotFoundException && IsUnavailable(error, cancel))
        {
            throw new StoreUnavailableException($"cannot {what}: {error.Message}", error);
        }
    }
}
