using Orleans.Hosting;
using OrleansStream.Hosting;

namespace OrleansStream.Silo.Hosting;

/// <summary>For executables that are silos of an OrleansStream cluster and have grains of their own: one process, no call over the network between them.</summary>
public static class OrleansStreamSilo
{
    /// <summary>
    /// Is a broker until a signal: with the settings, output and exit codes of <c>ostream-silo</c>. The grains of the executable's own assemblies live in it; a
    /// silo of a cluster must have the same ones as the others, or Orleans places them only where they are.
    /// </summary>
    /// <param name="args">The command line, as of <c>ostream-silo</c>.</param>
    /// <param name="configure">
    /// Called last, so it has the last word: services, other grain storage, or a clustering provider in place of the table in the store (with
    /// <c>clustering=store</c>, since silos that share partitions share the data).
    /// </param>
    /// <returns>The exit code: 0 after a signal, 1 could not start or go on and has said why, 2 the settings are wrong.</returns>
    public static Task<int> RunAsync(string[] args, Action<ISiloBuilder>? configure = null) => BrokerProgram.RunAsync(args, new SiloKind(configure));
}
