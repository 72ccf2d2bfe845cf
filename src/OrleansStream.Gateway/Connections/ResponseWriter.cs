using System.IO.Pipelines;
using OrleansStream.Gateway.Dispatch;
using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Connections;

/// <summary>
/// Writes responses into a connection's pipe. Used by one at a time: the queue while something is in it, the reader otherwise.
/// </summary>
internal sealed class ResponseWriter(Gateway gateway, PipeWriter output) : IDisposable
{
    // Above this a response goes out in pieces, so that a slow client's fetch does not pile up in the pipe.
    private const int CopyAtMost = 64 * 1024;

    private readonly KafkaWriter _writer = new();
    private bool _unflushed;

    /// <summary>Whether responses are in the pipe that the socket does not know of yet.</summary>
    public bool Unflushed => _unflushed;

    /// <summary>Writes a response, if there is one, and releases what it held. False: the client is gone.</summary>
    public async ValueTask<bool> WriteAsync(ApiHandler handler, RequestContext context, Answer answer)
    {
        try
        {
            if (answer.Response is not { } response)
                return true;
            Encode(handler, context, response);
            long bytes = _writer.Length;
            bool alive = true;
            if (bytes <= CopyAtMost)
            {
                _writer.CopyTo(output);
                _unflushed = true;
            }
            else
            {
                FlushResult flushed = await _writer.WriteToAsync(output);
                _unflushed = false;
                alive = !flushed.IsCompleted && !flushed.IsCanceled;
            }
            gateway.Metrics.ResponseWritten(handler.Api, bytes, gateway.Time.GetElapsedTime(context.StartedAt));
            return alive;
        }
        finally
        {
            answer.Release();
            _writer.Reset();
        }
    }

    /// <summary>Hands what was written to the socket; waits while the client is slow to take it. False: the client is gone.</summary>
    public async ValueTask<bool> FlushAsync()
    {
        if (!_unflushed)
            return true;
        _unflushed = false;
        FlushResult flushed = await output.FlushAsync();
        return !flushed.IsCompleted && !flushed.IsCanceled;
    }

    public void Dispose() => _writer.Dispose();

    private void Encode(ApiHandler handler, RequestContext context, IMessage response)
    {
        short version = handler.ResponseVersion(context.Version);
        int frame = _writer.BeginLength();
        _writer.WriteInt32(context.CorrelationId);
        if (handler.RequestInfo.ResponseHeaderVersion(version) >= 1)
            _writer.WriteUnsignedVarint(0);
        response.Write(_writer, version);
        _writer.EndLength(frame);
    }
}
