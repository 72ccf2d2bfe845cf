using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Providers;
using Orleans.Runtime;
using Orleans.Runtime.Hosting;
using Orleans.Storage;
using OrleansStream.Hosting;
using OrleansStream.Platform.Stores;
using OrleansStream.Silo.Cluster;
using OrleansStream.Silo.Configuration;
using OrleansStream.Silo.Forwarding;
using OrleansStream.Silo.Membership;
using OrleansStream.Silo.Placement;
using OrleansStream.Silo.Storage;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Silo.Hosting;

/// <summary>What makes a silo a broker: the executable's silo and those of tests are wired by this.</summary>
internal static class BrokerSilo
{
    private const int Failed = 1;

    // More than a forwarded call has around the records.
    private const int ForwardingOverhead = 64 * 1024;

    /// <summary>Adds clustering, grains and grain storage. <paramref name="engine"/> is to be started before the host, and stopped after it.</summary>
    public static ISiloBuilder AddOrleansStream(this ISiloBuilder silo, SiloSettings settings, EngineContext context, SiloEngine engine)
    {
        silo.Services.AddSingleton(engine);
        silo.Services.AddSingleton(context.Settings.Broker);
        UseCluster(silo, settings, context.Storage.Store);
        silo.Services.AddSingleton<IFatalErrorHandler>(
            sp => new FatalErrors(context.Fail, static () => Environment.Exit(Failed), sp.GetRequiredService<ILogger<FatalErrors>>()));
        AddBroker(silo, context);
        silo.Services.AddGrainStorage(GrainManifests.ProviderName, (_, _) => GrainManifests.InStore(context.Storage.Store));
        AddDefaultGrainStorage(silo, context);
        return silo;
    }

    /// <summary>The grains of topics and partitions, and this broker's line to the controller, which begins when the silo has joined.</summary>
    private static void AddBroker(ISiloBuilder silo, EngineContext context)
    {
        silo.Services.AddSingleton(context.Ports);
        silo.Services.AddSingleton(context.Storage.Store);
        silo.Services.AddSingleton<ClusterKnowledge>();
        silo.Services.AddSingleton<TopicDeletions>();
        silo.Services.AddSingleton(sp => new ClusterLink(
            sp.GetRequiredService<SiloEngine>(), sp.GetRequiredService<ClusterKnowledge>(), sp.GetRequiredService<TopicDeletions>(), context.Fail,
            sp.GetRequiredService<ILogger<ClusterLink>>()));
        silo.Services.AddSingleton<GrainTopicAdmin>();
        // Also where this silo forwards nothing: others may.
        silo.Services.AddSingleton<ForwardingClient>();
        silo.Services.AddSingleton<GrainPeers>();
        silo.AddGrainService<ForwardingService>();
        // What fits into a request of a Kafka client must fit into the call that carries it on.
        int most = (int)Math.Min(Array.MaxLength, Math.Max(context.Settings.Broker.SocketRequestMaxBytes, context.Settings.Broker.FetchMaxBytes) + (long)ForwardingOverhead);
        silo.Configure<SiloMessagingOptions>(options => options.MaxMessageBodySize = Math.Max(options.MaxMessageBodySize, most));
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, BrokerLifecycle>();
        silo.AddPlacementDirector<PartitionPlacementStrategy, PartitionPlacementDirector>();
        silo.Services.AddGrainDirectory<AssignmentDirectory>(
            AssignmentDirectory.Name, static (sp, _) => new AssignmentDirectory(sp.GetRequiredService<ClusterKnowledge>(), sp.GetRequiredService<SiloEngine>()));
    }

    /// <summary>How this silo finds others, and how soon it takes them for dead.</summary>
    internal static void UseCluster(ISiloBuilder silo, SiloSettings settings, IObjectStore store)
    {
        silo.Configure<ClusterOptions>(options =>
        {
            options.ClusterId = settings.ClusterId;
            options.ServiceId = settings.ServiceId;
        });
        silo.ConfigureEndpoints(settings.Advertised, settings.SiloPort, settings.GatewayPort);
        if (settings.Clustering == Clustering.Localhost)
        {
            silo.UseDevelopmentClustering(new IPEndPoint(settings.Advertised, settings.SiloPort));
            return;
        }
        silo.Services.AddSingleton<IMembershipTable>(new ObjectMembershipTable(store, settings.ClusterId, TimeProvider.System));
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(sp => new SilentSilos(
            sp.GetRequiredService<IMembershipTable>(), sp.GetRequiredService<ILocalSiloDetails>(), sp.GetRequiredService<IOptions<ClusterMembershipOptions>>(),
            TimeProvider.System, sp.GetRequiredService<ILogger<SilentSilos>>()));
        silo.Configure<ClusterMembershipOptions>(Tune);
    }

    /// <summary>
    /// Orleans' defaults take about half a minute to see that a silo was killed. Here three probes of 0.6 s that go unanswered make a vote, and two votes (one,
    /// where there are two silos) a death. What it costs: a probe between each two silos every 0.6 s, and one small write of each silo to the store every 4 s;
    /// that is what tells the rows of silos that were all killed at once from living ones, after three of them were missed.
    /// </summary>
    private static void Tune(ClusterMembershipOptions options)
    {
        options.ProbeTimeout = TimeSpan.FromMilliseconds(600);
        // Also bounds how long a connection that was just used speaks for a silo that does not answer.
        options.MaxProbeTimeout = TimeSpan.FromMilliseconds(1200);
        options.NumMissedProbesLimit = 3;
        options.NumVotesForDeathDeclaration = 2;
        options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(4);
        options.NumMissedTableIAmAliveLimit = 3;
        // Gossip tells of changes at once; this is for whom it does not reach.
        options.TableRefreshTimeout = TimeSpan.FromSeconds(3);
        options.DeathVoteExpirationTimeout = TimeSpan.FromSeconds(30);
        options.DefunctSiloExpiration = TimeSpan.FromDays(1);
    }

    /// <summary>For the states of users' own grains: in the container as Orleans' own provider keeps them, in a folder as JSON objects.</summary>
    private static void AddDefaultGrainStorage(ISiloBuilder silo, EngineContext context)
    {
        if (context.Storage.Container is { } container)
        {
            silo.AddAzureBlobGrainStorageAsDefault(options =>
            {
                options.BlobServiceClient = AzureConnection.ServiceOf(container.Connection);
                options.ContainerName = container.Container;
            });
            return;
        }
        silo.Services.AddGrainStorage(
            ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME,
            (sp, _) => new ObjectGrainStorage(context.Storage.Store, sp.GetRequiredService<IGrainStorageSerializer>(), GrainStateNames.Of));
    }
}
