using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Handlers;

/// <summary>
/// ApiVersions (KIP-35, KIP-511): tells exactly what is served. A version that is not known is answered in version 0, with the versions that are, so
/// that the client can ask again.
/// </summary>
internal sealed class ApiVersionsHandler : ApiHandler<ApiVersionsRequest>
{
    // Kafka's rule for client names and versions (KIP-511).
    private static readonly System.Buffers.SearchValues<char> NameCharacters =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");

    private sealed class RefusedVersion : IMessage
    {
        public void Write(KafkaWriter w, short version) => throw new InvalidOperationException("a mark, not a message");
    }

    public override IMessage? RefuseVersion(short version) => new RefusedVersion();

    public override short ResponseVersion(short version) => version < MinVersion || version > MaxVersion ? (short)0 : version;

    public override ValueTask<Answer> HandleAsync(IMessage request, RequestContext context) =>
        request is ApiVersionsRequest known ? AnswerAsync(known, context) : ValueTask.FromResult(Answer.Of(Refusal(context)));

    protected override ValueTask<Answer> AnswerAsync(ApiVersionsRequest request, RequestContext context)
    {
        if (context.Version >= 3 && !(IsName(request.ClientSoftwareName) && IsName(request.ClientSoftwareVersion)))
            return ValueTask.FromResult(Answer.Of(new ApiVersionsResponse { ErrorCode = context.Report(ErrorCode.InvalidRequest) }));

        var response = new ApiVersionsResponse { FinalizedFeaturesEpoch = 0 };
        foreach (ApiHandler handler in context.Gateway.Apis.All)
            response.ApiKeys.Add(Range(handler));
        foreach (Features.Feature feature in Features.All)
        {
            // Version 3 cannot say a lowest version of 0 (KIP-1123): such a feature is left out there.
            if (feature.Min > 0 || context.Version >= 4)
                response.SupportedFeatures.Add(new() { Name = feature.Name, MinVersion = feature.Min, MaxVersion = feature.Max });
            if (feature.Finalized > 0)
                response.FinalizedFeatures.Add(new() { Name = feature.Name, MinVersionLevel = feature.Finalized, MaxVersionLevel = feature.Finalized });
        }
        return ValueTask.FromResult(Answer.Of(response));
    }

    private ApiVersionsResponse Refusal(RequestContext context)
    {
        var response = new ApiVersionsResponse { ErrorCode = context.Report(ErrorCode.UnsupportedVersion) };
        response.ApiKeys.Add(Range(this));
        return response;
    }

    private static ApiVersionsResponse.ApiVersion Range(ApiHandler handler) =>
        new() { ApiKey = (short)handler.Api, MinVersion = handler.AdvertisedMinVersion, MaxVersion = handler.MaxVersion };

    private static bool IsName(string name) =>
        name.Length > 0 && name.AsSpan().IndexOfAnyExcept(NameCharacters) < 0 && char.IsAsciiLetterOrDigit(name[0]) && char.IsAsciiLetterOrDigit(name[^1]);
}

/// <summary>The features that ApiVersions names (KIP-584), with the levels that Kafka 4.3 has for what we do.</summary>
internal static class Features
{
    public sealed record Feature(string Name, short Min, short Max, short Finalized);

    /// <summary>
    /// metadata.version is that of Kafka 4.3, whose tools read it as the broker's release. Groups, transactions, share groups and streams groups are
    /// not here: clients that see no such feature do not try them.
    /// </summary>
    public static readonly IReadOnlyList<Feature> All = [new("metadata.version", 7, 30, 30)];
}
