using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.Storage.Blobs;

namespace OrleansStream.Platform.Stores;

/// <summary>
/// How a container is reached: a connection string (Azurite's "UseDevelopmentStorage=true" too), an account URL with the credential of the surroundings
/// (managed identity, environment, developer sign-in: DefaultAzureCredential), or an account URL that carries a shared access signature.
/// </summary>
public static class AzureConnection
{
    /// <summary>A client of the container. Retries of the SDK are off for what must not be repeated behind our back.</summary>
    internal static BlobContainerClient Connect(string connection, string container, int retries, TimeSpan networkTimeout)
    {
        var options = new BlobClientOptions();
        options.Retry.MaxRetries = retries;
        options.Retry.Mode = RetryMode.Exponential;
        options.Retry.Delay = TimeSpan.FromMilliseconds(100);
        options.Retry.MaxDelay = TimeSpan.FromSeconds(2);
        options.Retry.NetworkTimeout = networkTimeout;
        options.Diagnostics.IsLoggingEnabled = false;
        options.Diagnostics.IsDistributedTracingEnabled = false;
        options.Diagnostics.IsTelemetryEnabled = false;
        options.AddPolicy(new SinglePutPolicy(), HttpPipelinePosition.PerCall);
        return ServiceOf(connection, options).GetBlobContainerClient(container);
    }

    /// <summary>A client of the account.</summary>
    public static BlobServiceClient ServiceOf(string connection, BlobClientOptions? options = null)
    {
        if (!Uri.TryCreate(connection, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            return new BlobServiceClient(connection, options);
        return url.Query.Length > 1
            ? new BlobServiceClient(url, options)
            : new BlobServiceClient(url, new DefaultAzureCredential(), options);
    }
}
