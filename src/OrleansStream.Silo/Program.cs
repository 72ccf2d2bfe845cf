// The executable of a silo: a broker of a cluster, or of a cluster of one.
using OrleansStream.Hosting;
using OrleansStream.Silo.Hosting;

return await BrokerProgram.RunAsync(args, new SiloKind());
