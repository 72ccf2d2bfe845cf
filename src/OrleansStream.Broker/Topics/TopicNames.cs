using OrleansStream.Protocol;

namespace OrleansStream.Broker.Topics;

/// <summary>What a topic may be called, and Kafka's sentences for what it may not.</summary>
public static class TopicNames
{
    public const int MaxLength = 249;
    public const string ClusterMetadata = "__cluster_metadata";

    public static bool IsInternal(string name) => name is "__consumer_offsets" or "__transaction_state" or "__share_group_state";

    /// <summary>None, or INVALID_TOPIC_EXCEPTION with the reason.</summary>
    public static AdminError Check(string name)
    {
        var why = name switch
        {
            "" => "the empty string is not allowed",
            "." => "'.' is not allowed",
            ".." => "'..' is not allowed",
            { Length: > MaxLength } => $"the length of '{name}' is longer than the max allowed length {MaxLength}",
            _ when !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-') =>
                $"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            _ => null,
        };
        return why is null ? AdminError.None : new AdminError(ErrorCode.InvalidTopicException, $"Topic name is invalid: {why}");
    }

    public static bool HasCollisionChars(string name) => name.AsSpan().IndexOfAny('.', '_') >= 0;

    /// <summary>Two names that are one here would be one in Kafka's metric names.</summary>
    public static string Unified(string name) => name.Replace('.', '_');
}
