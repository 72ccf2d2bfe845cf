using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Runtime;

/// <summary>
/// A thread that does nothing but end clients' waits, one after the other. The pool would do it, but one of its threads that finds others requested yields its
/// processor first, which on a busy machine takes a scheduler's tick of 4 ms; and at thousands of answers a second two of its threads are woken for each.
/// </summary>
internal sealed class AnswerThread
{
    // An answer takes it 20 microseconds, most of which is the kernel's: a few threads answer more than the journal can make durable.
    private const int AtMost = 4;

    private readonly Lock _gate = new();
    private readonly ThreadPark _park = ThreadPark.Create();
    private List<IClientWait> _arrived = [];
    private List<IClientWait> _ending = [];

    private AnswerThread(string name) => new Thread(Run) { Name = name, IsBackground = true }.UnsafeStart();

    /// <summary>One for two processors.</summary>
    public static AnswerThread[] ForThisMachine() =>
        [.. Enumerable.Range(0, Math.Clamp(Environment.ProcessorCount / 2, 1, AtMost)).Select(static i => new AnswerThread($"answers {i}"))];

    public void Add(IClientWait wait)
    {
        bool first;
        lock (_gate)
        {
            first = _arrived.Count == 0;
            _arrived.Add(wait);
        }
        if (first)
            _park.Wake();
    }

    private void Run()
    {
        while (true)
        {
            lock (_gate)
                (_arrived, _ending) = (_ending, _arrived);
            if (_ending.Count == 0)
            {
                _park.Wait();
                continue;
            }
            foreach (var wait in _ending)
                wait.End();
            _ending.Clear();
        }
    }
}
