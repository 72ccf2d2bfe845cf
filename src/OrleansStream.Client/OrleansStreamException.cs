namespace OrleansStream.Client;

/// <summary>A call that did not succeed, with Kafka's error code; retriable ones were tried until the time for it was up.</summary>
[GenerateSerializer, Alias("OrleansStream.Exception")]
public sealed class OrleansStreamException : Exception
{
    public OrleansStreamException(ErrorCode error, string? message = null, Exception? inner = null)
        : base(string.IsNullOrEmpty(message) ? error.ToString() : $"{error}: {message}", inner) => Code = (short)error;

    public OrleansStreamException() : this(ErrorCode.UnknownServerError) { }
    public OrleansStreamException(string message) : this(ErrorCode.UnknownServerError, message) { }
    public OrleansStreamException(string message, Exception inner) : this(ErrorCode.UnknownServerError, message, inner) { }

    public ErrorCode ErrorCode => (ErrorCode)Code;

    /// <summary>Whether the same call may succeed later. An append that failed so may have happened.</summary>
    public bool IsRetriable => ErrorCode.IsRetriable();

    [Id(0)]
    private short Code { get; set; }
}
