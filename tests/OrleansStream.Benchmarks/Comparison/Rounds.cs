using OrleansStream.Benchmarks.Brokers;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Benchmarks.Load;

namespace OrleansStream.Benchmarks.Comparison;

/// <summary>What is done with one broker in one round; each method begins with an empty folder and leaves none.</summary>
internal sealed class Rounds(Plan plan, Measurements measurements, PerfTools? tools)
{
    private const double Gigabyte = 1e9;
    private const double Megabyte = 1e6;

    /// <summary>Points a (burst), b, c, d, e and f.</summary>
    public void Main(BrokerProcess broker)
    {
        bool kafka = broker is KafkaBroker;
        using (broker)
        {
            Add(broker, Figures.FirstStart, broker.Start());
            WarmUp(broker.Client);

            BenchTopic one = Burst(broker, "one", 1, Figures.Burst1);
            Add(broker, Figures.Hot1, Consume(broker, one).MegabytesPerSecond);
            double cpu = broker.CpuSeconds();
            BenchTopic twelve = Burst(broker, "twelve", 12, Figures.Burst12);
            Add(broker, Figures.BurstCpu, (broker.CpuSeconds() - cpu) / (plan.BurstBytes / Gigabyte));
            cpu = broker.CpuSeconds();
            Add(broker, Figures.Hot12, Consume(broker, twelve).MegabytesPerSecond);
            Add(broker, Figures.HotCpu, (broker.CpuSeconds() - cpu) / (plan.BurstBytes / Gigabyte));

            // We sync before every answer, so our figures of point b are those of point a.
            if (kafka)
            {
                Burst(broker, "one-synced", 1, Figures.Synced1, ("flush.messages", "1"));
                Burst(broker, "twelve-synced", 12, Figures.Synced12, ("flush.messages", "1"));
            }
            else
            {
                Add(broker, Figures.Synced1, measurements.Of(broker.Name, Figures.Burst1)[^1]);
                Add(broker, Figures.Synced12, measurements.Of(broker.Name, Figures.Burst12)[^1]);
            }

            Latency(broker);
            Tools(broker);

            broker.Stop();
            Settle();
            Add(broker, Figures.Restart, broker.Start());
            Add(broker, Figures.Sealed1, Consume(broker, one).MegabytesPerSecond);
            Add(broker, Figures.Sealed12, Consume(broker, twelve).MegabytesPerSecond);
        }
    }

    /// <summary>Of points a, b and e what main measures with one partition, and in its order: for work on them.</summary>
    public void Acknowledge(BrokerProcess broker)
    {
        using (broker)
        {
            broker.Start();
            WarmUp(broker.Client);
            Burst(broker, "one", 1, Figures.Burst1);
            Burst(broker, "twelve", 12, Figures.Burst12);
            if (broker is KafkaBroker)
                Burst(broker, "one-synced", 1, Figures.Synced1, ("flush.messages", "1"));
            else
                Add(broker, Figures.Synced1, measurements.Of(broker.Name, Figures.Burst1)[^1]);
            Latency(broker);
        }
    }

    /// <summary>Point a, sustained.</summary>
    public void Sustained(BrokerProcess broker, int partitions, Figure figure)
    {
        using (broker)
        {
            broker.Start();
            WarmUp(broker.Client);
            BenchTopic topic = broker.Client.CreateTopic("sustained", partitions);
            Add(broker, figure, new ProduceLoad(broker.Client, topic).Run(plan.SustainedBytes).MegabytesPerSecond);
        }
    }

    /// <summary>Point g.</summary>
    public void Memory(BrokerProcess broker)
    {
        using (broker)
        {
            broker.Start();
            Thread.Sleep(2 * plan.Settle);
            Add(broker, Figures.IdleMemory, broker.ResidentBytes() / Megabyte);
            broker.Client.CreateTopic("many", plan.ManyPartitions);
            Thread.Sleep(2 * plan.Settle);
            Add(broker, Figures.ManyMemory, broker.ResidentBytes() / Megabyte);
        }
    }

    private void WarmUp(BrokerClient client)
    {
        BenchTopic topic = client.CreateTopic("warm-up", 4);
        new ProduceLoad(client, topic).Run(plan.WarmUpBytes);
        new ConsumeLoad(client, topic).Run();
        client.DeleteTopic(topic.Name);
        Settle();
    }

    private BenchTopic Burst(BrokerProcess broker, string name, int partitions, Figure figure, params (string, string)[] configs)
    {
        BenchTopic topic = broker.Client.CreateTopic(name, partitions, configs);
        Settle();
        Add(broker, figure, new ProduceLoad(broker.Client, topic).Run(plan.BurstBytes).MegabytesPerSecond);
        return topic;
    }

    private ConsumeLoad.Result Consume(BrokerProcess broker, BenchTopic topic)
    {
        Settle();
        return new ConsumeLoad(broker.Client, topic).Run();
    }

    private void Latency(BrokerProcess broker)
    {
        BenchTopic topic = broker.Client.CreateTopic("latency", 1);
        Settle();
        LatencyLoad.Result result = new LatencyLoad(broker.Client, topic) { Seconds = plan.LatencySeconds, TraceFile = plan.TraceFile }.Run();
        if (!result.Sustained)
            Console.Error.WriteLine($"  {broker.Name} did not keep up with the rate.");
        Add(broker, Figures.AckP50, result.Acknowledge.P50);
        Add(broker, Figures.AckP99, result.Acknowledge.P99);
        Add(broker, Figures.AckP999, result.Acknowledge.P999);
        Add(broker, Figures.EndP50, result.EndToEnd.P50);
        Add(broker, Figures.EndP99, result.EndToEnd.P99);
        Add(broker, Figures.EndP999, result.EndToEnd.P999);
    }

    private void Tools(BrokerProcess broker)
    {
        if (tools is null || plan.PerfToolRecords == 0)
            return;
        BenchTopic topic = broker.Client.CreateTopic("tools", 12);
        Add(broker, Figures.PerfProduce, tools.Produce(broker, topic.Name, plan.PerfToolRecords));
        if (tools.Consume(broker, topic.Name, plan.PerfToolRecords) is double consumed)
            Add(broker, Figures.PerfConsume, consumed);
    }

    private void Settle()
    {
        Native.SyncDisks();
        Thread.Sleep(plan.Settle);
    }

    private void Add(BrokerProcess broker, Figure figure, double value) => measurements.Add(broker.Name, figure, value);
}
