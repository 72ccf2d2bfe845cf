namespace OrleansStream.Storage;

/// <summary>One partition of one topic. The topic id survives nothing but the topic: a topic made anew under an old name has another.</summary>
public readonly record struct PartitionId(Guid TopicId, int Index)
{
    public override string ToString() => $"{TopicId:N}-{Index}";
}
