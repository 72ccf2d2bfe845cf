using System.Text;
using OrleansStream.Client.Producing;

namespace OrleansStream.Client.Tests;

public sealed class KeyPartitionerTests
{
    /// <summary>Hashes that Kafka's own producer gives (org.apache.kafka.common.utils.Utils.murmur2).</summary>
    [Theory]
    [InlineData("21", -973932308)]
    [InlineData("foobar", -790332482)]
    [InlineData("a-little-bit-long-string", -985981536)]
    [InlineData("a-little-bit-longer-string", -1486304829)]
    [InlineData("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)]
    [InlineData("abc", 479470107)]
    public void A_key_has_the_hash_that_Kafka_gives_it(string key, int hash) => Assert.Equal(hash, KeyPartitioner.Murmur2(Encoding.UTF8.GetBytes(key)));

    [Fact]
    public void A_negative_hash_has_a_partition() => Assert.Equal((-973932308 & int.MaxValue) % 7, KeyPartitioner.Partition("21"u8, 7));
}
