using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Runtime;

/// <summary>The real machine: its clock, its randomness, its threads.</summary>
public static class SystemPorts
{
    /// <param name="endProcess">
    /// Called once a background body has failed, which only a defect does: state that nobody looks after must not go on serving. Logged before.
    /// </param>
    public static RuntimePorts Create(ILoggerFactory logs, Action<Exception> endProcess) =>
        new(TimeProvider.System, new CryptographicRandom(), new ThreadScheduler(logs.CreateLogger<ThreadScheduler>(), endProcess), logs);
}
