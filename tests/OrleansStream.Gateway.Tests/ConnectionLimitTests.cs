using OrleansStream.Gateway.Tests.Fakes;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests;

public sealed class ConnectionLimitTests
{
    [Fact]
    public async Task A_silent_connection_is_closed_and_one_that_waits_for_data_is_not()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new GatewayOptions { MaxIdleMs = 1 });
        MemoryPartition partition = gateway.Engine.Partition(gateway.Engine.AddTopic("t"), 0);
        using WireClient waiting = await WireClient.ConnectAsync(gateway);
        await waiting.SendAsync(Requests.Fetch("t", [(0, 0)], minBytes: 1, maxWaitMs: 1_000_000), 11);
        await PipeliningTests.WaitUntil(() => partition.Watchers == 1);
        using WireClient silent = await WireClient.ConnectAsync(gateway);
        Assert.Null(await silent.ReceiveFrameAsync());
        Assert.Equal(1, partition.Watchers);
        Assert.Empty(gateway.Logs.Lines);
    }

    [Fact]
    public async Task More_than_max_connections_wait_until_one_ends()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new GatewayOptions { MaxConnections = 1 });
        using WireClient second = await UseAsync();
        (_, MetadataResponse answer) = await second.ReceiveAsync<MetadataResponse>(MetadataRequest.Info, 9);
        Assert.Empty(answer.Topics);

        async Task<WireClient> UseAsync()
        {
            using WireClient first = await WireClient.ConnectAsync(gateway);
            await first.MetadataAsync(Requests.Metadata(), 9);
            WireClient next = await WireClient.ConnectAsync(gateway);
            await next.SendAsync(Requests.Metadata(), 9);
            await first.MetadataAsync(Requests.Metadata(), 9);
            return next;
        }
    }

    [Fact]
    public async Task More_than_an_address_may_have_are_closed()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new GatewayOptions { MaxConnectionsPerIp = 0, MaxConnectionsPerIpOverrides = new Dictionary<string, int> { ["127.0.0.1"] = 1 } });
        using WireClient first = await WireClient.ConnectAsync(gateway);
        await first.MetadataAsync(Requests.Metadata(), 9);
        using WireClient second = await WireClient.ConnectAsync(gateway);
        Assert.Null(await second.ReceiveFrameAsync());
        Assert.Single(gateway.Logs.Lines);
    }
}
