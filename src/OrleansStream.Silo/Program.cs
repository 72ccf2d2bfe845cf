// The executable of a silo: a broker of a cluster, or of a cluster of one.
using OrleansStream.Silo.Hosting;

return await OrleansStreamSilo.RunAsync(args);
