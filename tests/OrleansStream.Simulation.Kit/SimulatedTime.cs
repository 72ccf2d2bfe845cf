namespace OrleansStream.Simulation.Kit;

/// <summary>The clock of one process: simulated time plus a fixed skew. Its timers fire inside the process and die with it.</summary>
public sealed class SimulatedTime(SimulatedProcess process, TimeSpan skew) : TimeProvider
{
    private static readonly DateTimeOffset s_start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => s_start + skew + TimeSpan.FromTicks(process.World.NowTicks);
    public override long GetTimestamp() => process.World.NowTicks;
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new SimulatedTimer(process, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class SimulatedTimer(SimulatedProcess process, TimerCallback callback, object? state) : ITimer
    {
        private int _version;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var version = ++_version;
            if (dueTime >= TimeSpan.Zero)
            {
                process.World.After(dueTime, () => Fire(version, period), process);
            }

            return true;
        }

        public void Dispose() => _version++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }

        private void Fire(int version, TimeSpan period)
        {
            if (version == _version)
            {
                if (period > TimeSpan.Zero)
                {
                    process.World.After(period, () => Fire(version, period), process);
                }

                callback(state);
            }
        }
    }
}
