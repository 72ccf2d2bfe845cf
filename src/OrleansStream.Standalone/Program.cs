// The executable of the one-process engine.
using OrleansStream.Hosting;
using OrleansStream.Standalone;

return await BrokerProgram.RunAsync(args, new StandaloneKind());
