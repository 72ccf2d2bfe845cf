using Azure.Core;
using Azure.Core.Pipeline;

namespace OrleansStream.Platform.Stores;

/// <summary>
/// Makes one Put Blob request out of the SDK's Put Block request. The SDK offers Put Blob only through its partitioned uploader, which
/// buffers, and splits as it likes; a journal's object must be one request with one condition. Runs before the request is signed.
/// </summary>
internal sealed class SinglePutPolicy : HttpPipelineSynchronousPolicy
{
    private const string Property = "OrleansStream.SinglePut";

    /// <summary>Put Block requests of this flow become Put Blob under a condition, until disposed.</summary>
    /// <param name="header">If-Match or If-None-Match.</param>
    public static IDisposable Begin(string header, string value) =>
        HttpPipeline.CreateHttpMessagePropertiesScope(new Dictionary<string, object?> { [Property] = new Condition(header, value) });

    public override void OnSendingRequest(HttpMessage message)
    {
        if (!message.TryGetProperty(Property, out var property) || property is not Condition condition)
            return;
        var query = message.Request.Uri.Query.TrimStart('?').Split('&')
            .Where(p => !p.StartsWith("comp=", StringComparison.Ordinal) && !p.StartsWith("blockid=", StringComparison.Ordinal));
        message.Request.Uri.Query = string.Join('&', query);
        message.Request.Headers.SetValue("x-ms-blob-type", "BlockBlob");
        message.Request.Headers.SetValue(condition.Header, condition.Value);
    }

    private sealed record Condition(string Header, string Value);
}
