using System.Diagnostics;

namespace OrleansStream.Benchmarks.Brokers;

/// <summary>A silo of a cluster over a folder, with its defaults.</summary>
/// <param name="oneAddress">Whether it serves what the others lead.</param>
internal sealed class SiloBroker(string assembly, string folder, int nodeId, bool oneAddress) : BrokerProcess(folder)
{
    public int NodeId => nodeId;

    public override string Name => $"silo {nodeId}";

    protected override ProcessStartInfo Command(int port)
    {
        List<string> settings =
        [
            $"log.dirs={Folder}", $"listeners=PLAINTEXT://127.0.0.1:{port}", "http.listener=", "clustering=store", $"node.id={nodeId}",
            "orleans.silo.port=0", "orleans.gateway.port=none", $"one.address={(oneAddress ? "true" : "false")}",
        ];
        return new ProcessStartInfo("dotnet", [assembly, .. settings.SelectMany(s => new[] { "--override", s })]);
    }

    protected override int ServerPid(Process started) => started.Id;
}
