using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Dispatch;

/// <summary>Answers the requests of one API.</summary>
public abstract class ApiHandler
{
    public abstract ApiKey Api { get; }

    /// <summary>The lowest version that is advertised and answered.</summary>
    public abstract short MinVersion { get; }

    /// <summary>The highest version that is advertised and answered.</summary>
    public abstract short MaxVersion { get; }

    /// <summary>The lowest version that ApiVersions names; only Produce names more than it answers.</summary>
    public virtual short AdvertisedMinVersion => MinVersion;

    public abstract MessageInfo RequestInfo { get; }

    /// <summary>Whether a request takes so little processor time that the thread which receives for many connections may begin it.</summary>
    public virtual bool IsBrief => false;

    /// <summary>
    /// A request that makes the answer to a version outside of the range; null where, as in Kafka, the connection is closed.
    /// </summary>
    public virtual IMessage? RefuseVersion(short version) => null;

    /// <summary>The version in which a request of <paramref name="version"/> is answered.</summary>
    public virtual short ResponseVersion(short version) => version;

    /// <summary>Decodes a request's body. Records are slices of the frame. Faults are <see cref="ProtocolException"/>s.</summary>
    public abstract IMessage Decode(ref KafkaReader reader, short version);

    /// <summary>Answers a request, after all earlier ones of its connection have been answered. The frame is gone: nothing may refer to it.</summary>
    public abstract ValueTask<Answer> HandleAsync(IMessage request, RequestContext context);
}

/// <summary>The same with the request's type.</summary>
public abstract class ApiHandler<TRequest> : ApiHandler where TRequest : IMessage<TRequest>
{
    public override ApiKey Api => (ApiKey)TRequest.Info.ApiKey;
    public override short MinVersion => TRequest.Info.LowestVersion;
    public override short MaxVersion => TRequest.Info.HighestVersion;
    public sealed override MessageInfo RequestInfo => TRequest.Info;

    public sealed override IMessage Decode(ref KafkaReader reader, short version) => TRequest.Read(ref reader, version);

    public override ValueTask<Answer> HandleAsync(IMessage request, RequestContext context) => AnswerAsync((TRequest)request, context);

    protected abstract ValueTask<Answer> AnswerAsync(TRequest request, RequestContext context);
}

/// <summary>
/// An API whose requests begin in their order but need not wait for each other's answers. While <see cref="StartAsync"/> runs, the frame is still there;
/// afterwards nothing may refer to it.
/// </summary>
public interface IPipelinedHandler
{
    /// <summary>Does what must be done in order; the result completes with the answer. Exceptions are defects.</summary>
    ValueTask<IPendingAnswer> StartAsync(IMessage request, RequestContext context);
}

/// <summary>A request that has begun and whose answer is awaited.</summary>
public interface IPendingAnswer
{
    ValueTask<Answer> CompleteAsync();
}
