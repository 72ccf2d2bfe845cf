using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace OrleansStream.Silo.Hosting;

/// <summary>
/// What Orleans does when a silo cannot go on, above all when the others have declared it dead: the process ends with a sentence and exit code 1, so that
/// its supervisor starts it again, as a new silo. (Orleans' own handler aborts the process with a dump.)
/// </summary>
/// <param name="fail">Ends the process in order, saying why.</param>
/// <param name="exit">Ends it at once: called if it is still there some time later.</param>
internal sealed class FatalErrors(Action<string> fail, Action exit, ILogger<FatalErrors> log) : IFatalErrorHandler
{
    // Longer than connections are drained for. A silo that hangs in its end would keep its clients.
    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(20);

    private Timer? _deadline;

    public bool IsUnexpected(Exception exception) => exception is not OperationCanceledException;

    public void OnFatalException(object? sender, string? context, Exception? exception)
    {
        log.LogDebug(exception, "Fatal for the silo, from {Sender}: {Context}", sender, context);
        string reason = context ?? exception?.Message ?? "for an unknown reason";
        fail(reason.Contains("told I am dead", StringComparison.Ordinal)
            ? "the other silos have declared this one dead, so it ends, to be started again as a new one"
            : $"the silo cannot go on: {reason}{(exception is null || context is null ? "" : ": " + exception.Message)}");
        _deadline ??= new Timer(_ => exit(), null, EndWithin, Timeout.InfiniteTimeSpan);
    }
}
