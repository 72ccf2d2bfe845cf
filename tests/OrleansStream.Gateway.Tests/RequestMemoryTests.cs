using OrleansStream.Gateway.Connections;
using OrleansStream.Gateway.Tests.Fakes;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests;

/// <summary>What is being received is bounded over all connections.</summary>
public sealed class RequestMemoryTests
{
    [Fact]
    public async Task Beyond_the_limit_only_the_oldest_gets_more_and_the_others_follow_in_their_order()
    {
        var memory = new RequestMemory(() => 100);
        RequestMemory.Share first = memory.Begin(), second = memory.Begin(), third = memory.Begin();
        Assert.Null(first.Grow(60));
        Assert.Null(second.Grow(40));
        Task waits = second.Grow(50)!;
        Task behind = third.Grow(10)!;
        Assert.Null(first.Grow(1000));
        Assert.Equal(1100, memory.Held);
        Assert.False(waits.IsCompleted || behind.IsCompleted);

        first.Dispose();
        await Task.WhenAll(waits, behind).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(100, memory.Held);
        second.Dispose();
        third.Dispose();
        third.Dispose();
        Assert.Equal(0, memory.Held);
    }

    [Fact]
    public async Task Who_gives_up_waiting_leaves_its_place_to_the_next()
    {
        var memory = new RequestMemory(() => 100);
        using RequestMemory.Share first = memory.Begin();
        RequestMemory.Share second = memory.Begin();
        using RequestMemory.Share third = memory.Begin();
        Assert.Null(first.Grow(90));
        Task waits = second.Grow(50)!;
        Task behind = third.Grow(20)!;
        second.Dispose();
        Assert.False(behind.IsCompleted);
        first.Dispose();
        await behind.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(waits.IsCompleted);
    }

    [Fact]
    public async Task Requests_larger_than_the_limit_are_served_one_after_another_and_small_ones_meanwhile()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new GatewayOptions { MaxReceivingBytes = 1_500_000 });
        gateway.Engine.AddTopic("t");
        byte[] request = WireClient.Frame(Requests.Produce("t", 0, Requests.Batch(1, 3_000_000)), 9, 1);
        using WireClient first = await WireClient.ConnectAsync(gateway), second = await WireClient.ConnectAsync(gateway), gone = await WireClient.ConnectAsync(gateway);
        await first.SendBytesAsync(request.AsMemory(0, 1_200_000));
        await PipeliningTests.WaitUntil(() => gateway.Gateway.Receiving.Held > 0);
        // Not read to its end while the first is under way, so that sending it does not end either.
        Task sending = second.SendBytesAsync(request);
        using (WireClient small = await WireClient.ConnectAsync(gateway))
            Assert.Single((await small.MetadataAsync(Requests.Metadata("t"), 9)).Topics);

        await first.SendBytesAsync(request.AsMemory(1_200_000));
        Assert.Equal(1, (await first.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9)).Correlation);
        await sending;
        Assert.Equal(1, (await second.ReceiveAsync<ProduceResponse>(ProduceRequest.Info, 9)).Correlation);

        // One that goes in the middle gives back what it held.
        await gone.SendBytesAsync(request.AsMemory(0, 1_200_000));
        await PipeliningTests.WaitUntil(() => gateway.Gateway.Receiving.Held > 0);
        gone.Dispose();
        await PipeliningTests.WaitUntil(() => gateway.Gateway.Receiving.Held == 0);
    }
}
