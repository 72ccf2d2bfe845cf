using OrleansStream.Storage.Ports;

namespace OrleansStream.Broker.Engine;

/// <summary>
/// Whether somebody else has begun to serve the store (the cell cluster/owner): looked at now and then, so that a process without work ends, too; before anything is
/// opened, since to open fences the other; and before what was fenced is taken again. Where the journal is this machine's alone nobody else can serve.
/// </summary>
/// <param name="end">Called with a sentence when there is somebody else.</param>
internal sealed class OwnerWatch(ClusterIdentity identity, RuntimePorts ports, bool shared, Action<string> end, CancellationToken stopping)
{
    /// <summary>How often a process looks that has nothing to do: one small read of the store.</summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private Task<bool>? _look;

    /// <summary>Looks now. Where the store is away the answer is yes: what is done next will fail as well, and be tried again.</summary>
    public async ValueTask<bool> LookAsync()
    {
        if (!shared)
            return true;
        try
        {
            if (await identity.IsStillMineAsync(stopping))
                return true;
            end("Another process has begun to serve this store; this one was fenced.");
            return false;
        }
        catch (StoreUnavailableException)
        {
            return true;
        }
    }

    /// <summary>As above; many that open something at the same time share one look.</summary>
    public async ValueTask<bool> MayOpenAsync()
    {
        if (!shared)
            return true;
        Task<bool> look;
        lock (_lock)
        {
            if (_look is null or { IsCompleted: true })
                _look = LookAsync().AsTask();
            look = _look;
        }
        return await look;
    }

    public async Task RunAsync()
    {
        while (true)
        {
            try
            {
                await Task.Delay(LookEvery, ports.Time, stopping);
                if (!await LookAsync())
                    return;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }
}
