// A broker whose process has grains of its own, which append to and read topics without leaving it where they can.
//   dotnet run --project samples/OrdersSilo -- [options of ostream-silo]
using Microsoft.Extensions.DependencyInjection;
using OrleansStream.Silo.Hosting;

return await OrleansStreamSilo.RunAsync(args, static silo => silo.Services.AddOrleansStreamClient());
