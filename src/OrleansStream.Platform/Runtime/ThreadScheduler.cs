using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Runtime;

/// <summary>Background work on the thread pool, or on a thread of its own.</summary>
public sealed class ThreadScheduler(ILogger<ThreadScheduler> log, Action<Exception> endProcess) : IScheduler
{
    private static readonly Action<ILogger, string, Exception?> BodyFailed = LoggerMessage.Define<string>(
        LogLevel.Critical, new EventId(1, "BackgroundBodyFailed"), "background work '{Name}' failed; this is a defect and the process ends");

    private readonly AnswerThread[] _answers = AnswerThread.ForThisMachine();

    public void Start(string name, Func<Task> body) =>
        ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Self.GuardAsync(work.Name, work.Body), (Self: this, Name: name, Body: body), preferLocal: false);

    public void StartDedicated(string name, Func<Task> body)
    {
        var thread = new Thread(() =>
        {
            using var loop = new ThreadLoop();
            loop.Run(() => GuardAsync(name, body));
        })
        {
            Name = name,
            IsBackground = true,
        };
        thread.UnsafeStart();
    }

    public void StartYielding(string name, Action body) => YieldingThread.Start(name, () => _ = GuardAsync(name, () =>
    {
        body();
        return Task.CompletedTask;
    }));

    public void EndWait(int lane, IClientWait wait) => _answers[(uint)lane % (uint)_answers.Length].Add(wait);

    private async Task GuardAsync(string name, Func<Task> body)
    {
        try
        {
            await body();
        }
#pragma warning disable CA1031 // Whatever escapes ends the process: there is nobody above to tell.
        catch (Exception error)
#pragma warning restore CA1031
        {
            BodyFailed(log, name, error);
            endProcess(error);
        }
    }
}
