using OrleansStream.Protocol.Messages;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>Tagged fields, headers, and values that a version cannot carry.</summary>
public class VersionTests
{
    [Fact]
    public void Unknown_tagged_fields_are_skipped_wherever_they_stand()
    {
        // FindCoordinatorRequest v4: key type, one key, then the tagged fields.
        byte[] known = Golden.Write(new FindCoordinatorRequest { KeyType = 1, CoordinatorKeys = { "tx" } }, 4);
        Assert.Equal(0, known[^1]);
        byte[] unknown = [.. known[..^1], 2, 0x05, 3, 1, 2, 3, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        var r = new KafkaReader(Segments.Of(unknown, 2));
        FindCoordinatorRequest request = FindCoordinatorRequest.Read(ref r, 4);
        r.ExpectEnd();
        Assert.Equal(["tx"], request.CoordinatorKeys);
    }

    [Fact]
    public void An_unknown_tagged_field_beside_known_ones_is_skipped()
    {
        byte[] bytes = Golden.Write(new FetchRequest { ClusterId = "c", ReplicaState = new() { ReplicaId = 3 } }, 15);
        byte[] tags = [2, 0, 2, 2, (byte)'c', 1, 13];
        int at = bytes.AsSpan().IndexOf(tags);
        Assert.True(at > 0);
        byte[] more = [.. bytes[..at], 3, .. bytes[(at + 1)..], 0x09, 2, 1, 1];
        var r = new KafkaReader(more);
        FetchRequest request = FetchRequest.Read(ref r, 15);
        r.ExpectEnd();
        Assert.Equal("c", request.ClusterId);
        Assert.Equal(3, request.ReplicaState.ReplicaId);
    }

    [Fact]
    public void A_tagged_field_whose_size_lies_is_refused()
    {
        byte[] bytes = Golden.Write(new FetchRequest { ClusterId = "cluster" }, 15);
        int size = bytes.AsSpan().IndexOf<byte>([1, 0, 8, 8, (byte)'c']) + 2;
        Assert.True(size > 2);
        foreach (byte lie in new byte[] { 7, 9, 0, 200 })
        {
            bytes[size] = lie;
            Assert.Throws<ProtocolException>(() =>
            {
                var r = new KafkaReader(bytes);
                FetchRequest.Read(ref r, 15);
                r.ExpectEnd();
            });
        }
    }

    [Fact]
    public void A_value_that_the_version_cannot_carry_is_refused_unless_it_may_be_ignored()
    {
        using var w = new KafkaWriter();
        var session = new FetchResponse { SessionId = 1 };
        Assert.Throws<UnsupportedVersionException>(() => session.Write(w, 6));
        session.Write(w, 7);
        new FetchResponse { ErrorCode = 1 }.Write(w, 6);
        var diverging = new FetchResponse { Responses = { new() { Partitions = { new() { DivergingEpoch = new() { Epoch = 1 } } } } } };
        Assert.Throws<UnsupportedVersionException>(() => diverging.Write(w, 11));
        diverging.Write(w, 12);
    }

    [Fact]
    public void Null_in_a_version_that_has_no_null_is_refused()
    {
        using var w = new KafkaWriter();
        var all = new MetadataRequest { Topics = null };
        Assert.Throws<UnsupportedVersionException>(() => all.Write(w, 0));
        all.Write(w, 1);
        byte[] nulls = [0xff, 0xff, 0xff, 0xff];
        Assert.Throws<ProtocolException>(() =>
        {
            var r = new KafkaReader(nulls);
            MetadataRequest.Read(ref r, 0);
        });
    }

    [Theory]
    [InlineData((short)2)]
    [InlineData((short)14)]
    [InlineData((short)-1)]
    public void A_version_without_schema_is_refused(short version)
    {
        Assert.Throws<UnsupportedVersionException>(() => new ProduceRequest().Write(new KafkaWriter(), version));
        Assert.Throws<UnsupportedVersionException>(() =>
        {
            var r = new KafkaReader(new byte[100]);
            ProduceRequest.Read(ref r, version);
        });
    }

    [Fact]
    public void The_table_knows_header_versions_and_the_exception_of_ApiVersions()
    {
        MessageInfo fetch = ApiTable.Request((short)ApiKey.Fetch)!;
        Assert.Equal((1, 2), (fetch.RequestHeaderVersion(11), fetch.RequestHeaderVersion(12)));
        Assert.Equal((0, 1), (fetch.ResponseHeaderVersion(11), fetch.ResponseHeaderVersion(12)));
        MessageInfo versions = ApiTable.Request((short)ApiKey.ApiVersions)!;
        Assert.Equal((2, 0), (versions.RequestHeaderVersion(3), versions.ResponseHeaderVersion(3)));
        Assert.Equal(1, ApiTable.Request((short)ApiKey.SaslHandshake)!.RequestHeaderVersion(1));
        Assert.Null(ApiTable.Request((short)ApiKey.LeaderAndIsr));
        Assert.Null(ApiTable.Request(-1));
        Assert.Null(ApiTable.Request(short.MaxValue));
        Assert.Equal(77, ApiTable.Requests.Count);
        Assert.Equal(77, ApiTable.Responses.Count);
    }
}
