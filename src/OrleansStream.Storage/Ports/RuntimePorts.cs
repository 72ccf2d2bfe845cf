using Microsoft.Extensions.Logging;

namespace OrleansStream.Storage.Ports;

/// <summary>
/// Everything that Storage and Broker take from the machine besides I/O. Production wires the real clock, cryptographic randomness and the
/// thread pool; the simulation wires one seed.
/// </summary>
public sealed record RuntimePorts(TimeProvider Time, IRandomSource Random, IScheduler Scheduler, ILoggerFactory Logs)
{
    /// <summary>Unix time in milliseconds, as record timestamps use it.</summary>
    public long NowMilliseconds => Time.GetUtcNow().ToUnixTimeMilliseconds();
}

/// <summary>Random bytes: ids, incarnations, jitter.</summary>
public interface IRandomSource
{
    void Fill(Span<byte> bytes);
}

public static class RandomSourceExtensions
{
    /// <summary>A random id (version 4).</summary>
    public static Guid NextGuid(this IRandomSource random)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.Fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}

/// <summary>Starts work that outlives its caller.</summary>
public interface IScheduler
{
    /// <summary>
    /// Runs <paramref name="body"/> apart from the caller, beginning after this call returned. A body handles its own failures: one that escapes is
    /// a defect, is logged as critical and ends the process (in the simulation: fails the run).
    /// </summary>
    void Start(string name, Func<Task> body);

    /// <summary>
    /// The same on a thread of its own, to which every continuation of the body returns: for the loop of a journal, whose I/O blocks.
    /// </summary>
    void StartDedicated(string name, Func<Task> body);

    /// <summary>The same for work that takes a processor for milliseconds and is in no hurry: it gives way to everything that serves clients.</summary>
    void StartYielding(string name, Action body);

    /// <summary>
    /// Has a client's wait ended soon, apart from the caller. Those of one <paramref name="lane"/>, any number, are ended one after the other in the order of
    /// these calls.
    /// </summary>
    void EndWait(int lane, IClientWait wait);
}

/// <summary>Somebody whom a client waits for, and who waits himself.</summary>
public interface IClientWait
{
    /// <summary>Runs what waited, on the calling thread: to make an answer and to hand it to the socket. Must not throw.</summary>
    void End();
}
