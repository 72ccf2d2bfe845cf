using Orleans.Runtime;
using OrleansStream.Silo.Storage;
using OrleansStream.Storage;

namespace OrleansStream.Silo.Tests.Storage;

public sealed class PartitionGrainIdTests
{
    [Fact]
    public void A_partition_is_its_grain_and_back()
    {
        var partition = new PartitionId(Guid.NewGuid(), 12);
        Assert.Equal($"{partition.TopicId:N}/12", PartitionGrainId.KeyOf(partition));
        Assert.True(PartitionGrainId.TryParse(PartitionGrainId.Of(partition), out PartitionId back));
        Assert.Equal(partition, back);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/1")]
    [InlineData("0a1b2c3d000040008000000000000001")]
    [InlineData("0a1b2c3d000040008000000000000001/")]
    [InlineData("0a1b2c3d000040008000000000000001/01")]
    [InlineData("0A1B2C3D000040008000000000000001/1")]
    [InlineData("0a1b2c3d000040008000000000000001/-1")]
    public void Other_keys_are_no_partitions(string key) => Assert.False(PartitionGrainId.TryParse(key, out _));

    [Fact]
    public void A_grain_of_another_type_is_no_partition() =>
        Assert.False(PartitionGrainId.TryParse(GrainId.Create("topic", "0a1b2c3d000040008000000000000001/1"), out _));

    [Fact]
    public void Names_of_users_states_do_not_meet()
    {
        string[] names =
        [
            GrainStateNames.Of("state", GrainId.Create("cart", "a/b")), GrainStateNames.Of("state", GrainId.Create("cart", "a_2fb")),
            GrainStateNames.Of("state", GrainId.Create("cart", "A/b")), GrainStateNames.Of("sta", GrainId.Create("te", "cart")),
            GrainStateNames.Of("state", GrainId.Create("cart", "é..")),
        ];
        Assert.Equal(names.Length, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
        Assert.All(names, static n => Assert.Matches("^grains(/[a-z0-9_-]+){3}$", n));
        Assert.Equal("grains/state/cart/a_2fb", names[0]);
    }
}
