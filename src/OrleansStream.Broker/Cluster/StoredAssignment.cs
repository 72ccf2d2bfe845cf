using OrleansStream.Broker.Topics;

namespace OrleansStream.Broker.Cluster;

/// <summary>
/// Who led what when it was last written, in the cell cluster/assignment: only so that partitions stay where they are when the controller moves. Its term
/// rises with each controller, and what an earlier one still writes is refused.
/// </summary>
internal sealed record StoredAssignment(int Term, IReadOnlyDictionary<Guid, int[]> Leaders)
{
    public static readonly CellCodec<StoredAssignment> Codec = new(CellKind.Assignment, 1, Write, Read);

    private static void Write(StoredAssignment assignment, CellWriter writer)
    {
        writer.Int(assignment.Term);
        writer.Int(assignment.Leaders.Count);
        foreach (var (topic, leaders) in assignment.Leaders.OrderBy(t => t.Key))
        {
            writer.Id(topic);
            writer.Int(leaders.Length);
            foreach (var leader in leaders)
                writer.Int(leader);
        }
    }

    private static StoredAssignment Read(CellReader reader)
    {
        var term = reader.Int();
        var count = reader.Int();
        Dictionary<Guid, int[]> leaders = [];
        for (var i = 0; i < count; i++)
        {
            var topic = reader.Id();
            var partitions = new int[reader.Int()];
            for (var p = 0; p < partitions.Length; p++)
                partitions[p] = reader.Int();
            leaders.Add(topic, partitions);
        }
        return new StoredAssignment(term, leaders);
    }
}
