using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using OrleansStream.Protocol;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Benchmarks.Client;

/// <summary>
/// One connection with blocking calls, so that the client costs two system calls a request and no scheduling. One thread may send while another
/// receives.
/// </summary>
internal sealed class BrokerConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly KafkaWriter _writer = new();
    private byte[] _buffer = new byte[64 * 1024];
    private int _correlation;

    public BrokerConnection(string host, int port, int receiveTimeoutMs = 0)
    {
        _socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveTimeoutMs > 0)
            _socket.ReceiveTimeout = receiveTimeoutMs;
        _socket.Connect(host, port);
    }

    public TResponse Call<TRequest, TResponse>(TRequest request, short version)
        where TRequest : IMessage<TRequest> where TResponse : IMessage<TResponse>
    {
        Send(Frame(request, version, ++_correlation));
        return Read<TRequest, TResponse>(Receive(), version);
    }

    /// <summary>A whole frame, to be sent as often as wanted: the correlation id is never looked at twice, answers come in order.</summary>
    public byte[] Frame<TRequest>(TRequest request, short version, int correlation) where TRequest : IMessage<TRequest>
    {
        MessageInfo info = TRequest.Info;
        _writer.Reset();
        int frame = _writer.BeginLength();
        new RequestHeader { RequestApiKey = info.ApiKey, RequestApiVersion = version, CorrelationId = correlation, ClientId = "bench" }
            .Write(_writer, info.RequestHeaderVersion(version));
        request.Write(_writer, version);
        _writer.EndLength(frame);
        var bytes = new ArrayBufferWriter<byte>(_writer.Length);
        _writer.CopyTo(bytes);
        return bytes.WrittenSpan.ToArray();
    }

    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[_socket.Send(bytes)..];
    }

    /// <summary>The next answer without its length; valid until the next call.</summary>
    public ReadOnlyMemory<byte> Receive()
    {
        Fill(4);
        int length = BinaryPrimitives.ReadInt32BigEndian(_buffer);
        if (length > _buffer.Length)
            _buffer = new byte[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length)];
        Fill(length);
        return _buffer.AsMemory(0, length);
    }

    public static TResponse Read<TRequest, TResponse>(ReadOnlyMemory<byte> frame, short version)
        where TRequest : IMessage<TRequest> where TResponse : IMessage<TResponse>
    {
        var reader = new KafkaReader(frame);
        ResponseHeader.Read(ref reader, TRequest.Info.ResponseHeaderVersion(version));
        TResponse response = TResponse.Read(ref reader, version);
        reader.ExpectEnd();
        return response;
    }

    public void Dispose()
    {
        _socket.Dispose();
        _writer.Dispose();
    }

    private void Fill(int count)
    {
        for (int at = 0; at < count;)
        {
            int read = _socket.Receive(_buffer.AsSpan(at, count - at));
            if (read == 0)
                throw new IOException("The broker closed the connection.");
            at += read;
        }
    }
}
