using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace OrleansStream.EndToEnd.Wire;

/// <summary>One connection to a broker: frames in, frames out, nothing retried. One request at a time.</summary>
internal sealed class KafkaConnection : IAsyncDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private int _correlation;

    /// <summary>What the client calls itself: as "__admin_client" it may write to internal topics.</summary>
    public string ClientId { get; set; } = "end-to-end";

    /// <summary>How long an answer may take before the test fails.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(60);

    public static async Task<KafkaConnection> OpenAsync(int port)
    {
        var connection = new KafkaConnection();
        try { await connection._socket.ConnectAsync(IPAddress.Loopback, port); }
        catch { connection._socket.Dispose(); throw; }
        return connection;
    }

    /// <summary>Sends a request under header version 1 and answers the body after the correlation id.</summary>
    public async Task<WireReader> AskAsync(short api, short version, WireWriter body)
    {
        await SendAsync(Request(api, version, ++_correlation, body, ClientId).Bytes);
        var frame = await ReadFrameAsync() ?? throw new IOException("the broker closed the connection");
        var reader = new WireReader(frame);
        if (reader.Int32() is var id && id != _correlation) throw new InvalidDataException($"answer {id} to request {_correlation}");
        return reader;
    }

    /// <summary>The same under header version 2, for the flexible versions of a request (KIP-482); the answer has header version 1.</summary>
    public async Task<WireReader> AskFlexibleAsync(short api, short version, WireWriter body)
    {
        // The one tagged field of this header: none.
        var reader = await AskAsync(api, version, new WireWriter().Unsigned(0).Raw(body.Bytes.Span));
        reader.Unsigned();
        return reader;
    }

    /// <summary>A whole request without its length: header version 1 (RequestHeader), then the body.</summary>
    public static WireWriter Request(short api, short version, int correlation, WireWriter body, string clientId = "end-to-end") =>
        new WireWriter().Int16(api).Int16(version).Int32(correlation).Text(clientId).Raw(body.Bytes.Span);

    public async Task SendAsync(ReadOnlyMemory<byte> frame)
    {
        var bytes = new byte[4 + frame.Length];
        BinaryPrimitives.WriteInt32BigEndian(bytes, frame.Length);
        frame.CopyTo(bytes.AsMemory(4));
        await SendRawAsync(bytes);
    }

    /// <summary>Sends bytes as they are, framed or not.</summary>
    public async Task SendRawAsync(ReadOnlyMemory<byte> bytes)
    {
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            while (!bytes.IsEmpty) bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, limit.Token)..];
        }
        catch (SocketException e) { throw new IOException("the broker closed the connection", e); }
        catch (OperationCanceledException) { throw new TimeoutException("the broker takes no more bytes"); }
    }

    /// <summary>The next frame without its length; null when the broker closed the connection instead.</summary>
    public async Task<byte[]?> ReadFrameAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            var length = new byte[4];
            if (!await FillAsync(length, limit.Token)) return null;
            var frame = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
            if (!await FillAsync(frame, limit.Token)) throw new IOException("the broker closed the connection within an answer");
            return frame;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset) { return null; }
        catch (OperationCanceledException) { throw new TimeoutException($"no answer within {Patience}"); }
    }

    /// <summary>Says that nothing more will be sent, and goes on listening.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<bool> FillAsync(Memory<byte> into, CancellationToken cancel)
    {
        while (!into.IsEmpty)
        {
            var count = await _socket.ReceiveAsync(into, SocketFlags.None, cancel);
            if (count == 0) return false;
            into = into[count..];
        }
        return true;
    }
}
