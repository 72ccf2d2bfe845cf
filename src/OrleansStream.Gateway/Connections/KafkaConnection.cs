using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Connections;

/// <summary>
/// One client's connection. Requests are read in order. Produce and OffsetCommit requests begin in that order and several may be under way; their answers are
/// sent in order by <see cref="ResponseQueue"/>. Any other request waits until all earlier ones have been answered, as in Kafka. Small requests of brief
/// APIs are served by the thread that received them, since at thousands a second each switch of threads costs more than the request; all others on the pool.
/// </summary>
internal sealed class KafkaConnection
{
    private const int SizeBytes = sizeof(int);

    // A request that has not come at once is received in steps of this size, each of which may have to wait for memory.
    private const int StepBytes = 1024 * 1024;

    // Above this the copy and checksum of a Produce request take longer than a switch of threads.
    private const int BriefBytes = 32 * 1024;

    private readonly Gateway _gateway;
    private readonly Peer _peer;
    private readonly PipeReader _input;
    private readonly CancellationToken _closed;
    private readonly ILogger _log;
    private readonly RequestHeader _header = new();
    private readonly ResponseWriter _responses;
    private readonly ResponseQueue _queue;
    private readonly AppendOrder _appends = new();

    private long _lastActive;
    private bool _serving;

    // Whether the request at hand is known by its header, for the log line.
    private bool _headerRead;

    public KafkaConnection(Gateway gateway, Peer peer, IDuplexPipe transport, CancellationToken closed)
    {
        _gateway = gateway;
        _peer = peer;
        _input = transport.Input;
        _closed = closed;
        _log = gateway.Log;
        _lastActive = gateway.Time.GetTimestamp();
        _responses = new ResponseWriter(gateway, transport.Output);
        _queue = new ResponseQueue(_responses, StopReading, _log);
    }

    /// <summary>Serves the connection until the client goes, sends what cannot be read, or <paramref name="stopping"/> says to end after what is under way.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using CancellationTokenRegistration stop = stopping.UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), _input);
        Task responder = _queue.RunAsync();
        string? fault = null;
        try
        {
            await ReadRequestsAsync(stopping);
        }
        catch (ProtocolException malformed)
        {
            fault = Describe(malformed);
        }
        catch (Exception end) when (end is ConnectionResetException or ConnectionAbortedException or OperationCanceledException or IOException)
        {
            // The client is gone: there is nobody to tell.
        }
        catch (Exception defect)
        {
            _log.LogError(defect, "closing {Peer}: {Api} version {Version} failed", _peer.Address, (ApiKey)_header.ApiKey, _header.Version);
        }

        _queue.Complete();
        await responder;
        fault ??= _queue.CloseReason;
        if (fault is not null)
        {
            _gateway.Metrics.Malformed();
            _log.LogWarning("closing {Peer}: {Reason}", _peer.Address, fault);
        }
        _responses.Dispose();
    }

    private async Task ReadRequestsAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested && !_queue.Ended)
        {
            ValueTask<ReadOnlySequence<byte>> reading = ReadAsync(SizeBytes);
            bool received = reading.IsCompleted;
            ReadOnlySequence<byte> buffer = await reading;
            if (buffer.Length < SizeBytes)
                return;
            _appends.Begin(received ? buffer.Length : 0);
            _headerRead = false;
            int size = ReadSize(buffer);
            if (size < 0 || size > _gateway.Options.MaxRequestBytes)
                throw new ProtocolException($"a request of {size} bytes, where {_gateway.Options.MaxRequestBytes} is the most");
            bool whole = buffer.Length >= SizeBytes + (long)size;
            if (!(whole ? await ServeWholeAsync(buffer.Slice(SizeBytes, size)) : await ReceiveAsync(buffer, SizeBytes + size, stopping)))
                return;
            _appends.Served(SizeBytes + (long)size);
        }
    }

    /// <summary>Receives the rest of a request and serves it. False: read no more.</summary>
    private async ValueTask<bool> ReceiveAsync(ReadOnlySequence<byte> buffer, int length, CancellationToken stopping)
    {
        using RequestMemory.Share share = _gateway.Receiving.Begin();
        for (long had = 0; buffer.Length < length;)
        {
            int next = (int)Math.Min(length, buffer.Length + StepBytes);
            // Examined up to the start only: what is examined does not count towards ReadAtLeast.
            _input.AdvanceTo(buffer.Start);
            if (share.Grow(next - had) is { } memory)
            {
                using var end = CancellationTokenSource.CreateLinkedTokenSource(_closed, stopping);
                await memory.WaitAsync(end.Token);
            }
            had = next;
            buffer = await ReadAsync(next);
            if (buffer.Length < next)
                return false;
        }
        return await ServeWholeAsync(buffer.Slice(SizeBytes, length - SizeBytes));
    }

    private async ValueTask<bool> ServeWholeAsync(ReadOnlySequence<byte> frame)
    {
        Volatile.Write(ref _serving, true);
        bool goesOn = await ServeAsync(frame);
        Volatile.Write(ref _lastActive, _gateway.Time.GetTimestamp());
        Volatile.Write(ref _serving, false);
        return goesOn;
    }

    private async ValueTask<ReadOnlySequence<byte>> ReadAsync(int atLeast)
    {
        // Not cancelled by the connection's end: what a client sent before it went (acks=0) still counts. The pipe completes by itself.
        ReadResult result = await _input.ReadAtLeastAsync(atLeast);
        return result.IsCanceled ? ReadOnlySequence<byte>.Empty : result.Buffer;
    }

    private static int ReadSize(in ReadOnlySequence<byte> buffer)
    {
        if (buffer.FirstSpan.Length >= SizeBytes)
            return BinaryPrimitives.ReadInt32BigEndian(buffer.FirstSpan);
        Span<byte> bytes = stackalloc byte[SizeBytes];
        buffer.Slice(0, SizeBytes).CopyTo(bytes);
        return BinaryPrimitives.ReadInt32BigEndian(bytes);
    }

    /// <summary>Begins one request and releases its frame. False: read no more.</summary>
    private async ValueTask<bool> ServeAsync(ReadOnlySequence<byte> frame)
    {
        if (frame.Length > BriefBytes)
            await LeaveReceivingThreadAsync();
        ApiHandler handler = Decode(frame, out IMessage request);
        if (!handler.IsBrief)
            await LeaveReceivingThreadAsync();
        var context = new RequestContext(_gateway, _peer, handler.Api, _header.Version, _header.CorrelationId, _header.ClientId, _closed) { Appends = _appends };
        _gateway.Metrics.RequestRead(handler.Api, frame.Length + SizeBytes);
        if (handler is IPipelinedHandler pipelined)
        {
            IPendingAnswer pending = await pipelined.StartAsync(request, context);
            _input.AdvanceTo(frame.End);
            await _queue.EnqueueAsync(handler, context, pending);
            return true;
        }

        _input.AdvanceTo(frame.End);
        await _queue.DrainAsync();
        if (_queue.Ended)
            return false;
        Answer answer = await handler.HandleAsync(request, context);
        if (answer.CloseReason is not null)
            throw new ProtocolException(answer.CloseReason);
        return await _responses.WriteAsync(handler, context, answer) && await _responses.FlushAsync();
    }

    // The socket engine's threads are none of the pool's.
    private static ValueTask LeaveReceivingThreadAsync()
    {
        return Thread.CurrentThread.IsThreadPoolThread ? default : YieldAsync();

        static async ValueTask YieldAsync() => await Task.Yield();
    }

    private ApiHandler Decode(in ReadOnlySequence<byte> frame, out IMessage request)
    {
        var reader = new KafkaReader(frame);
        _header.ReadStart(ref reader);
        _headerRead = true;
        ApiHandler handler = _gateway.Apis.Find(_header.ApiKey) ?? throw new ProtocolException("this API is not served");
        short version = _header.Version;
        if (version < handler.MinVersion || version > handler.MaxVersion)
        {
            request = handler.RefuseVersion(version)
                ?? throw new ProtocolException($"versions {handler.MinVersion} to {handler.MaxVersion} of this API are served");
            return handler;
        }
        _header.ReadClient(ref reader, handler.RequestInfo.IsFlexible(version));
        request = handler.Decode(ref reader, version);
        return handler;
    }

    /// <summary>Since when the client has sent nothing and nothing is owed to it, as the gateway's clock counts; null while something is under way.</summary>
    public long? IdleSince => Volatile.Read(ref _serving) || _queue.UnderWay > 0 ? null : Volatile.Read(ref _lastActive);

    /// <summary>Ends the connection after what is under way: the client is gone, silent, or a request demands the end.</summary>
    public void StopReading() => _input.CancelPendingRead();

    private string Describe(ProtocolException malformed)
    {
        if (!_headerRead)
            return malformed.Message;
        string api = Enum.IsDefined((ApiKey)_header.ApiKey) ? ((ApiKey)_header.ApiKey).ToString() : $"API {_header.ApiKey}";
        return $"{api} version {_header.Version}: {malformed.Message}";
    }
}
