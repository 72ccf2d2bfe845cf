using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using OrleansStream.Client;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the client with a host.</summary>
public static class OrleansStreamClientServices
{
    /// <summary>Adds <see cref="OrleansStreamClient"/> to a host that has an Orleans client or a silo.</summary>
    public static IServiceCollection AddOrleansStreamClient(this IServiceCollection services, Action<OrleansStreamClientOptions>? configure = null)
    {
        services.AddOptions<OrleansStreamClientOptions>();
        if (configure is not null)
            services.Configure(configure);
        services.TryAddSingleton(static sp => new OrleansStreamClient(
            sp.GetRequiredService<IGrainFactory>(), sp.GetRequiredService<IOptions<OrleansStreamClientOptions>>().Value, sp.GetService<TimeProvider>()));
        return services;
    }
}
