using OrleansStream.Cluster.EndToEnd.Silos;
using OrleansStream.EndToEnd.Brokers;
using Xunit.Abstractions;

namespace OrleansStream.Cluster.EndToEnd;

/// <summary>What a test of a cluster stands on: a folder or Azurite, three silos, and what the processes said when it fails.</summary>
public abstract class ClusterTest(ITestOutputHelper output)
{
    protected const int Silos = 3;

    // Small segments, so that what happens to silos meets sealing and trimming, too.
    private const string SmallSegments = "log.segment.bytes=1048576";

    private protected ITestOutputHelper Output => output;

    /// <param name="settings">Broker settings, name=value.</param>
    private protected Task OnFolderAsync(Func<SiloCluster, Task> test, params string[] settings) => OnFolderAsync(Silos, test, settings);

    private protected Task OnFolderAsync(int silos, Func<SiloCluster, Task> test, params string[] settings) => RunAsync(silos, null, balanced: false, test, settings);

    /// <summary>Three silos behind one address.</summary>
    private protected Task BalancedAsync(Func<SiloCluster, Task> test, params string[] settings) => RunAsync(Silos, null, balanced: true, test, settings);

    /// <summary>What takes minutes on two cores.</summary>
    private protected Task OnFolderAtLengthAsync(Func<SiloCluster, Task> test)
    {
        Skip.IfNot(Repository.Full, "takes minutes: with --full only");
        return OnFolderAsync(test);
    }

    private protected async Task OnAzuriteAsync(Func<SiloCluster, Task> test, params string[] settings)
    {
        Skip.IfNot(Repository.Full, "on Azurite with --full only");
        await using Azurite azurite = await Azurite.StartAsync();
        await RunAsync(Silos, azurite.ConnectionString, balanced: false, test, settings);
    }

    private async Task RunAsync(int silos, string? storage, bool balanced, Func<SiloCluster, Task> test, params string[] settings)
    {
        Skip.If(BrokerProcess.IsKafka, "a cluster of our own");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("ostream-cluster-");
        try
        {
            await using SiloCluster cluster = balanced
                ? await SiloCluster.StartBalancedAsync(silos, folder.FullName, storage, [SmallSegments, .. settings])
                : await SiloCluster.StartAsync(silos, folder.FullName, storage, [SmallSegments, .. settings]);
            try
            {
                await test(cluster);
            }
            catch
            {
                output.WriteLine(cluster.Printed());
                throw;
            }
        }
        finally { folder.Delete(recursive: true); }
    }
}
