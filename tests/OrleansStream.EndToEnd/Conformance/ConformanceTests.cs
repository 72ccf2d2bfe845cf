using System.Diagnostics;
using OrleansStream.EndToEnd.Brokers;

namespace OrleansStream.EndToEnd.Conformance;

/// <summary>
/// A slice of Apache Kafka's own integration tests (KAFKA_PEERS/kafka-tests), with --full all groups that rest on what there is today. What must
/// pass is named in tests/conformance/expected.txt.
/// </summary>
public sealed class ConformanceTests
{
    public static TheoryData<string> Selections => Repository.Full
        ? ["produce-fetch", "admin", "groups"]
        :
        [
            "org.apache.kafka.clients.producer.ProducerCompressionTest",
            "kafka.server.ApiVersionsRequestTest",
            "org.apache.kafka.tools.LogDirsCommandTest",
        ];

    [SkippableTheory, MemberData(nameof(Selections))]
    public async Task Kafkas_own_tests_pass(string selection)
    {
        Missing.Peers();
        Skip.If(BrokerProcess.IsKafka, "this compares with Apache Kafka already");
        Skip.IfNot(File.Exists("/usr/bin/java") || Environment.GetEnvironmentVariable("JAVA_HOME") is not null, "Java 17 is needed");
        var info = new ProcessStartInfo(Path.Combine(Repository.Root, "tests", "conformance", "run"), [selection]) { RedirectStandardOutput = true, RedirectStandardError = true };
        info.Environment["CONFIGURATION"] = Repository.Configuration;
        info.Environment["KAFKA_PEERS"] = Repository.Peers;
        using var run = Process.Start(info)!;
        var complaints = run.StandardError.ReadToEndAsync();
        var printed = await run.StandardOutput.ReadToEndAsync();
        await run.WaitForExitAsync();
        Assert.True(run.ExitCode == 0, printed + await complaints);
        Assert.Contains("PASS", printed, StringComparison.Ordinal);
    }
}
