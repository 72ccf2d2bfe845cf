using OrleansStream.EndToEnd.Wire;

namespace OrleansStream.EndToEnd.Fleet;

/// <summary>A group as its coordinator describes it: its generation or epoch, and which partitions of the one topic each member has.</summary>
internal sealed record GroupDescription(string State, IReadOnlyDictionary<string, IReadOnlyList<int>> Members)
{
    private const short DescribeGroups = 15, ConsumerGroupDescribe = 69;

    /// <summary>Partitions that two members have at the same time.</summary>
    public IEnumerable<int> OwnedTwice => Members.Values.SelectMany(p => p).GroupBy(p => p).Where(g => g.Count() > 1).Select(g => g.Key);

    /// <summary>Whether nobody has two partitions more than another, and all have one somewhere.</summary>
    public bool IsBalanced(int partitions) =>
        Members.Count > 0 && Members.Values.Sum(p => p.Count) == partitions && Members.Values.Max(p => p.Count) - Members.Values.Min(p => p.Count) <= 1;

    public override string ToString() => $"{State}: " + string.Join("; ", Members.Select(m => $"{m.Key} has {string.Join(",", m.Value)}"));

    public static Task<GroupDescription> OfAsync(KafkaConnection connection, string group, string protocol) =>
        protocol == "consumer" ? OfConsumersAsync(connection, group) : OfClassicAsync(connection, group);

    /// <summary>DescribeGroups 0. Only a stable group has an assignment.</summary>
    private static async Task<GroupDescription> OfClassicAsync(KafkaConnection connection, string group)
    {
        var answer = await connection.AskAsync(DescribeGroups, 0, new WireWriter().Int32(1).Text(group));
        return answer.Array(g =>
        {
            var error = g.Int16();
            g.Text();
            var state = g.Text()!;
            g.Text();
            g.Text();
            var members = g.Array(m =>
            {
                var id = m.Text()!;
                m.Text();
                m.Text();
                m.Blob();
                return (id, Partitions: Assigned(m.Blob()));
            });
            // While it is not loaded, nobody can say anything about it.
            if (error != 0) return new GroupDescription($"error {error}", new Dictionary<string, IReadOnlyList<int>>());
            return new GroupDescription(state, members.ToDictionary(m => m.id, m => m.Partitions));
        })[0];
    }

    private static IReadOnlyList<int> Assigned(ReadOnlyMemory<byte> assignment)
    {
        if (assignment.IsEmpty) return [];
        var reader = new WireReader(assignment);
        reader.Int16();
        return [.. reader.Array(t => { t.Text(); return t.Array(p => p.Int32()); }).SelectMany(p => p)];
    }

    /// <summary>ConsumerGroupDescribe 0: what each member has, or has still to give up.</summary>
    private static async Task<GroupDescription> OfConsumersAsync(KafkaConnection connection, string group)
    {
        var answer = await connection.AskFlexibleAsync(ConsumerGroupDescribe, 0, new WireWriter().Unsigned(2).CompactText(group).Int8(0).Unsigned(0));
        answer.Int32();
        answer.Unsigned();
        var error = answer.Int16();
        Nullable(answer);
        answer.CompactText();
        var state = answer.CompactText();
        answer.Int32();
        answer.Int32();
        answer.CompactText();
        var members = Compact(answer, m =>
        {
            var id = m.CompactText();
            Nullable(m);
            Nullable(m);
            m.Int32();
            m.CompactText();
            m.CompactText();
            Compact(m, t => t.CompactText());
            Nullable(m);
            var has = Assignment(m);
            Assignment(m);
            m.Unsigned();
            return (id, has);
        });
        if (error != 0) return new GroupDescription($"error {error}", new Dictionary<string, IReadOnlyList<int>>());
        return new GroupDescription(state, members.ToDictionary(m => m.id, m => m.has));
    }

    private static IReadOnlyList<int> Assignment(WireReader reader)
    {
        var partitions = Compact(reader, t =>
        {
            t.Take(16);
            t.CompactText();
            var numbers = Compact(t, p => p.Int32());
            t.Unsigned();
            return numbers;
        }).SelectMany(p => p).ToList();
        reader.Unsigned();
        return partitions;
    }

    private static List<T> Compact<T>(WireReader reader, Func<WireReader, T> read)
    {
        var items = new List<T>();
        for (var left = (int)reader.Unsigned() - 1; left > 0; left--) items.Add(read(reader));
        return items;
    }

    private static void Nullable(WireReader reader)
    {
        var length = (int)reader.Unsigned() - 1;
        if (length > 0) reader.Take(length);
    }
}
