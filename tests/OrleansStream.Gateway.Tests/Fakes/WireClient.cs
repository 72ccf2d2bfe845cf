using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Gateway.Tests.Fakes;

/// <summary>A socket that speaks frames: requests by the generated messages, or bytes made by hand.</summary>
internal sealed class WireClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TcpClient _tcp = new();
    private int _nextCorrelation = 1;

    private WireClient() { }

    public static async Task<WireClient> ConnectAsync(TestGateway gateway)
    {
        var client = new WireClient();
        await client._tcp.ConnectAsync("127.0.0.1", gateway.Port);
        return client;
    }

    /// <summary>Sends a request; its correlation id.</summary>
    public async Task<int> SendAsync<T>(T request, short version) where T : IMessage<T>
    {
        int correlation = _nextCorrelation++;
        await SendBytesAsync(Frame(request, version, correlation));
        return correlation;
    }

    public static byte[] Frame<T>(T request, short version, int correlation) where T : IMessage<T>
    {
        using var writer = new KafkaWriter();
        int frame = writer.BeginLength();
        writer.WriteInt16(T.Info.ApiKey);
        writer.WriteInt16(version);
        writer.WriteInt32(correlation);
        writer.WriteNullableString(compact: false, "test");
        if (T.Info.IsFlexible(version))
            writer.WriteUnsignedVarint(0);
        request.Write(writer, version);
        writer.EndLength(frame);
        var bytes = new ArrayBufferWriter<byte>();
        writer.CopyTo(bytes);
        return bytes.WrittenSpan.ToArray();
    }

    public async Task SendBytesAsync(ReadOnlyMemory<byte> bytes) => await _tcp.GetStream().WriteAsync(bytes);

    /// <summary>The next response: correlation id and body.</summary>
    public async Task<(int Correlation, T Body)> ReceiveAsync<T>(MessageInfo request, short version) where T : IMessage<T>
    {
        byte[] frame = await ReceiveFrameAsync() ?? throw new EndOfStreamException("the connection was closed instead of answered");
        var reader = new KafkaReader(frame);
        int correlation = reader.ReadInt32();
        if (request.ResponseHeaderVersion(version) >= 1)
            reader.SkipTaggedFields();
        T body = T.Read(ref reader, version);
        reader.ExpectEnd();
        return (correlation, body);
    }

    /// <summary>Sends and waits for the answer.</summary>
    public async Task<TResponse> AskAsync<TRequest, TResponse>(TRequest request, short version)
        where TRequest : IMessage<TRequest> where TResponse : IMessage<TResponse>
    {
        int sent = await SendAsync(request, version);
        (int correlation, TResponse body) = await ReceiveAsync<TResponse>(TRequest.Info, version);
        Assert.Equal(sent, correlation);
        return body;
    }

    public Task<FetchResponse> FetchAsync(FetchRequest request, short version) => AskAsync<FetchRequest, FetchResponse>(request, version);

    public Task<ProduceResponse> ProduceAsync(ProduceRequest request, short version) => AskAsync<ProduceRequest, ProduceResponse>(request, version);

    public Task<MetadataResponse> MetadataAsync(MetadataRequest request, short version) => AskAsync<MetadataRequest, MetadataResponse>(request, version);

    /// <summary>The next frame without its size; null when the broker closes the connection.</summary>
    public async Task<byte[]?> ReceiveFrameAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        byte[] size = new byte[4];
        try
        {
            NetworkStream stream = _tcp.GetStream();
            if (await stream.ReadAtLeastAsync(size, 4, throwOnEndOfStream: false, patience.Token) < 4)
                return null;
            byte[] frame = new byte[BinaryPrimitives.ReadInt32BigEndian(size)];
            await stream.ReadExactlyAsync(frame, patience.Token);
            return frame;
        }
        catch (IOException)
        {
            return null;
        }
    }

    public void Dispose() => _tcp.Dispose();
}
