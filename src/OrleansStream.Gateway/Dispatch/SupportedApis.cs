using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Dispatch;

/// <summary>The APIs that the gateway answers. ApiVersions tells clients exactly this table.</summary>
public sealed class SupportedApis
{
    private readonly ApiHandler?[] _byKey = new ApiHandler?[128];

    public SupportedApis(IEnumerable<ApiHandler> handlers)
    {
        foreach (ApiHandler handler in handlers)
            _byKey[(int)handler.Api] = handler;
        All = [.. _byKey.OfType<ApiHandler>()];
    }

    /// <summary>In the order of their keys.</summary>
    public IReadOnlyList<ApiHandler> All { get; }

    public ApiHandler? Find(short apiKey) => (uint)apiKey < (uint)_byKey.Length ? _byKey[apiKey] : null;
}
