using OrleansStream.Broker.Topics;
using OrleansStream.Protocol;

namespace OrleansStream.Gateway.Handlers;

internal static class TopicNames
{
    public static AdminError Check(string name) =>
        name.Length is > 0 and <= 249 && name is not "." and not ".." && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
            ? AdminError.None
            : new AdminError(ErrorCode.InvalidTopicException);
}
