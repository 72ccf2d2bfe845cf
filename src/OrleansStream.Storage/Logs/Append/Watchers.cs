namespace OrleansStream.Storage.Logs;

/// <summary>Those who are told when a log changes. Calling them takes no lock.</summary>
internal sealed class Watchers
{
    private readonly Lock _lock = new();
    private Registration[] _all = [];

    public IDisposable Add(ILogWatcher watcher)
    {
        var registration = new Registration(this, watcher);
        lock (_lock)
            Volatile.Write(ref _all, [.. _all, registration]);
        return registration;
    }

    public void Notify()
    {
        foreach (var registration in Volatile.Read(ref _all))
            registration.Watcher.Changed();
    }

    private void Remove(Registration registration)
    {
        lock (_lock)
        {
            var at = Array.IndexOf(_all, registration);
            if (at >= 0)
                Volatile.Write(ref _all, [.. _all.AsSpan(0, at), .. _all.AsSpan(at + 1)]);
        }
    }

    private sealed class Registration(Watchers watchers, ILogWatcher watcher) : IDisposable
    {
        public ILogWatcher Watcher { get; } = watcher;
        public void Dispose() => watchers.Remove(this);
    }
}
