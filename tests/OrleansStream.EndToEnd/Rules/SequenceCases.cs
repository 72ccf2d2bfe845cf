namespace OrleansStream.EndToEnd.Rules;

/// <summary>One batch of an idempotent producer and what becomes of it: "error" or "0@base offset".</summary>
internal readonly record struct SequenceStep(int Epoch, int Sequence, int Records, string Outcome);

/// <summary>The rules of producer sequences (KIP-98, KIP-360), each on a new partition with a new producer. Written down from Apache Kafka 4.3.1.</summary>
internal static class SequenceCases
{
    private const string OutOfOrder = "45", OldEpoch = "47";

    public static readonly Dictionary<string, SequenceStep[]> All = new()
    {
        ["one after another"] = [At(0, 3, "0@0"), At(3, 1, "0@3"), At(4, 2, "0@4")],
        ["the last five are known again, in any order"] =
        [
            At(0, 1, "0@0"), At(1, 2, "0@1"), At(3, 3, "0@3"), At(6, 1, "0@6"), At(7, 1, "0@7"),
            At(7, 1, "0@7"), At(0, 1, "0@0"), At(3, 3, "0@3"), At(1, 2, "0@1"), At(6, 1, "0@6"), At(8, 1, "0@8"),
        ],
        ["the sixth last is forgotten"] =
        [
            At(0, 1, "0@0"), At(1, 1, "0@1"), At(2, 1, "0@2"), At(3, 1, "0@3"), At(4, 1, "0@4"), At(5, 1, "0@5"),
            At(0, 1, OutOfOrder), At(1, 1, "0@1"), At(6, 1, "0@6"), At(1, 1, OutOfOrder),
        ],
        ["a gap"] = [At(0, 1, "0@0"), At(2, 1, OutOfOrder), At(1, 1, "0@1"), At(2, 1, "0@2")],
        ["a batch that is partly known"] = [At(0, 3, "0@0"), At(3, 3, "0@3"), At(2, 3, OutOfOrder), At(0, 6, OutOfOrder), At(5, 2, OutOfOrder), At(6, 1, "0@6")],
        ["the same first sequence and another count"] = [At(0, 3, "0@0"), At(0, 2, OutOfOrder), At(0, 4, OutOfOrder), At(3, 1, "0@3")],
        ["an unknown producer may begin anywhere"] = [At(42, 2, "0@0"), At(42, 2, "0@0"), At(44, 1, "0@2"), At(41, 1, OutOfOrder)],
        ["a new epoch begins with 0"] = [At(0, 2, "0@0"), At(2, 1, OutOfOrder, 1), At(5, 1, OutOfOrder, 1), At(0, 1, "0@2", 1), At(1, 1, "0@3", 1)],
        ["an unknown producer may begin with a later epoch"] = [At(9, 1, "0@0", 7), At(10, 1, "0@1", 7)],
        ["an old epoch"] = [At(0, 1, "0@0", 3), At(1, 1, OldEpoch, 2), At(0, 1, OldEpoch), At(1, 1, "0@1", 3)],
        ["a new epoch forgets the batches of the old"] = [At(0, 1, "0@0"), At(1, 1, "0@1"), At(0, 1, "0@2", 1), At(1, 1, "0@3", 1), At(1, 1, OldEpoch), At(1, 1, "0@3", 1)],
        ["a jump of epochs"] = [At(0, 1, "0@0"), At(0, 1, "0@1", 30_000), At(1, 1, OldEpoch, 29_999), At(1, 1, "0@2", 30_000)],
        ["after the largest sequence comes 0"] = [At(int.MaxValue - 2, 3, "0@0"), At(0, 1, "0@3"), At(1, 1, "0@4"), At(int.MaxValue - 2, 3, "0@0"), At(0, 1, "0@3")],
        ["a batch across the largest sequence"] =
        [
            At(int.MaxValue - 1, 4, "0@0"), At(1, 1, OutOfOrder), At(int.MaxValue, 1, OutOfOrder), At(2, 1, "0@4"), At(int.MaxValue - 1, 4, "0@0"), At(3, 1, "0@5"),
        ],
        ["a refused batch changes nothing"] = [At(0, 1, "0@0"), At(9, 1, OutOfOrder, 5), At(1, 1, "0@1"), At(0, 1, "0@0")],
    };

    private static SequenceStep At(int sequence, int records, string outcome, int epoch = 0) => new(epoch, sequence, records, outcome);
}
