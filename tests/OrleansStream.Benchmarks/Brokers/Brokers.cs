using System.Diagnostics;
using System.Globalization;

namespace OrleansStream.Benchmarks.Brokers;

/// <summary>Apache Kafka, by the script of KAFKA_PEERS, with its defaults.</summary>
internal sealed class KafkaBroker(string script, string folder) : BrokerProcess(folder)
{
    public override string Name => "Apache Kafka";

    protected override ProcessStartInfo Command(int port) => new(script, ["start", Folder, port.ToString(CultureInfo.InvariantCulture)]);

    protected override int ServerPid(Process started) => int.Parse(File.ReadAllText(Path.Combine(Folder, "pid")), CultureInfo.InvariantCulture);
}

/// <summary>Ours: the published form of the one-process engine, on a folder, with its defaults but where the script sets Kafka another.</summary>
internal sealed class OrleansStreamBroker(string assembly, string folder, IReadOnlyList<string> overrides) : BrokerProcess(folder)
{
    public override string Name => "OrleansStream";

    protected override ProcessStartInfo Command(int port)
    {
        List<string> settings =
        [
            $"log.dirs={Folder}", $"listeners=PLAINTEXT://127.0.0.1:{port}", "http.listener=",
            // As the script that starts Kafka has it: otherwise a consumer in a group begins three seconds later here than there.
            "group.initial.rebalance.delay.ms=0", .. overrides,
        ];
        return new ProcessStartInfo("dotnet", [assembly, .. settings.SelectMany(s => new[] { "--override", s })]);
    }

    protected override int ServerPid(Process started) => started.Id;
}
