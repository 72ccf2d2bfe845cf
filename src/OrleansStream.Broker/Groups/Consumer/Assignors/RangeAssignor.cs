namespace OrleansStream.Broker.Groups.Consumer.Assignors;

/// <summary>
/// Gives each member one run of every topic's partitions, in one order of members for all topics: members that read topics with equally many partitions get
/// the same numbers of each (co-partitioning, for joins). Static members come first, by instance id, so that they keep their runs while others come and go.
/// </summary>
internal sealed class RangeAssignor : IPartitionAssignor
{
    public string Name => "range";

    public IReadOnlyDictionary<string, PartitionSet> Assign(AssignmentTask task)
    {
        var members = task.Members.ToArray();
        Array.Sort(members, CompareMembers);
        var runs = members.ToDictionary(m => m.Id, _ => new List<(Guid, IEnumerable<int>)>(), StringComparer.Ordinal);
        foreach (var (topic, partitions) in task.Partitions)
        {
            var subscribers = task.IsHomogeneous ? members : Array.FindAll(members, m => m.Topics.Contains(topic));
            if (subscribers.Length == 0)
                continue;
            var (quota, extra) = Math.DivRem(partitions, subscribers.Length);
            var next = 0;
            for (var i = 0; i < subscribers.Length && next < partitions; i++)
            {
                var length = quota + (i < extra ? 1 : 0);
                runs[subscribers[i].Id].Add((topic, Enumerable.Range(next, length)));
                next += length;
            }
        }
        return runs.ToDictionary(r => r.Key, r => PartitionSet.From(r.Value), StringComparer.Ordinal);
    }

    private static int CompareMembers(AssignorMember one, AssignorMember other) => (one.InstanceId, other.InstanceId) switch
    {
        ({ } a, { } b) => string.CompareOrdinal(a, b),
        ({ }, null) => -1,
        (null, { }) => 1,
        _ => string.CompareOrdinal(one.Id, other.Id),
    };
}
