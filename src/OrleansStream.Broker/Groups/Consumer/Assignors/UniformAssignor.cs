namespace OrleansStream.Broker.Groups.Consumer.Assignors;

/// <summary>
/// Balances the number of partitions over members, and otherwise leaves partitions where the last target assignment put them. Where all subscribe to the
/// same topics, members differ by one partition at most. Where they do not, no partition could move, alone or in a chain of moves, to a member that has
/// at least two fewer.
/// </summary>
internal sealed class UniformAssignor : IPartitionAssignor
{
    public string Name => "uniform";

    public IReadOnlyDictionary<string, PartitionSet> Assign(AssignmentTask task)
    {
        var board = new AssignmentBoard(task);
        if (task.Members.Count > 0)
        {
            if (task.IsHomogeneous)
                AssignEqual(board, task);
            else
                AssignUnequal(board);
        }
        return board.Result();
    }

    /// <summary>Everybody may have everything: keep up to the quota, then deal what is left, topic by topic, to who has the least.</summary>
    private static void AssignEqual(AssignmentBoard board, AssignmentTask task)
    {
        var total = board.PartitionCount;
        var (quota, extras) = Math.DivRem(total, task.Members.Count);
        // The odd partitions go to members that have one more already: nothing has to move for them.
        foreach (var member in board.MembersByLoad().Reverse())
        {
            var keep = quota;
            if (board.Load(member) > quota && extras > 0)
            {
                keep++;
                extras--;
            }
            board.ReleaseBeyond(member, keep);
        }
        board.DealToLeastLoaded();
    }

    private static void AssignUnequal(AssignmentBoard board)
    {
        board.DealToLeastLoaded();
        // A path of moves from a member to one with two fewer makes the sum of squares of the loads smaller, so this ends.
        bool moved;
        do
        {
            moved = false;
            foreach (var member in board.MembersByLoad().Reverse())
            {
                while (board.ShiftFrom(member))
                    moved = true;
            }
        }
        while (moved);
    }
}
