using Microsoft.Extensions.Hosting;

namespace OrleansStream.Hosting;

/// <summary>For hosts inside of the process, which would otherwise each listen to signals: those are the business of <see cref="BrokerProcess"/>.</summary>
public sealed class NoLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
