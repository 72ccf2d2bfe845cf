using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Tests.Groups.Consumer;

/// <summary>Members on their way to a target: every state, and that no partition ever has two holders.</summary>
public sealed class ReconciliationTests
{
    private static readonly Guid A = new(1, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);
    private static readonly Guid B = new(2, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);

    private static OwnedPartitions Owned(int epoch, params int[] partitions) => OwnedPartitions.From(PartitionSet.From((A, partitions)), epoch);

    private static Reconciliation To(int epoch, int[] target, int[]? owned, params int[] held) => new(
        epoch, PartitionSet.From((A, target)), new HashSet<Guid> { A }, false, (_, p) => held.Contains(p), owned is null ? null : PartitionSet.From((A, owned)));

    private static readonly ConsumerMember Stable = new("m") { Epoch = 10, PreviousEpoch = 9, Assigned = Owned(10, 1, 2, 3) };

    private static string Show(ConsumerMember member) =>
        $"{member.State} {member.Epoch}<{member.PreviousEpoch} has {List(member.Assigned)} revokes {List(member.Revoking)}";

    private static string List(OwnedPartitions partitions) => string.Join(",", partitions.All().Select(p => $"{p.Partition}@{p.Epoch}"));

    [Fact]
    public void A_stable_member_stays_while_there_is_no_newer_target() => Assert.Same(Stable, To(10, [4], null).Next(Stable));

    [Fact]
    public void The_same_partitions_in_a_newer_epoch() =>
        Assert.Equal("Stable 11<10 has 1@10,2@10,3@10 revokes ", Show(To(11, [1, 2, 3], null, 1, 2, 3).Next(Stable)));

    [Fact]
    public void What_is_free_is_given_at_once() =>
        Assert.Equal("Stable 11<10 has 1@10,2@10,3@10,4@11 revokes ", Show(To(11, [1, 2, 3, 4], null, 1, 2, 3).Next(Stable)));

    [Fact]
    public void What_others_hold_is_waited_for() =>
        Assert.Equal("UnreleasedPartitions 11<10 has 1@10,2@10,3@10 revokes ", Show(To(11, [1, 2, 3, 4], null, 1, 2, 3, 4).Next(Stable)));

    [Fact]
    public void Some_are_given_and_some_waited_for()
    {
        var waiting = To(11, [1, 2, 3, 4, 5], null, 1, 2, 3, 4).Next(Stable);
        Assert.Equal("UnreleasedPartitions 11<10 has 1@10,2@10,3@10,5@11 revokes ", Show(waiting));
        Assert.Equal("Stable 11<11 has 1@10,2@10,3@10,4@11,5@11 revokes ", Show(To(11, [1, 2, 3, 4, 5], null, 1, 2, 3, 5).Next(waiting)));
    }

    [Fact]
    public void Revocation_comes_first_and_keeps_the_epoch()
    {
        var revoking = To(11, [2, 3, 4], null, 1, 2, 3).Next(Stable);
        Assert.Equal("UnrevokedPartitions 10<10 has 2@10,3@10 revokes 1@10", Show(revoking));
        Assert.Same(revoking, To(11, [2, 3, 4], null, 1, 2, 3).Next(revoking));
        Assert.Same(revoking, To(12, [2, 3, 4], [1, 2, 3], 1, 2, 3).Next(revoking));
        Assert.Equal("Stable 12<10 has 2@10,3@10,4@12 revokes ", Show(To(12, [2, 3, 4], [2, 3], 1, 2, 3).Next(revoking)));
    }

    [Fact]
    public void What_is_revoked_may_come_back_with_a_new_assignment_epoch()
    {
        var revoking = To(11, [2, 3], null, 1, 2, 3).Next(Stable);
        Assert.Equal("Stable 12<10 has 1@12,2@10,3@10 revokes ", Show(To(12, [1, 2, 3], [2, 3], 1, 2, 3).Next(revoking)));
    }

    [Fact]
    public void A_member_that_gave_up_already_need_not_be_asked() =>
        Assert.Equal("Stable 11<10 has 2@10,3@10 revokes ", Show(To(11, [2, 3], [2, 3], 1, 2, 3).Next(Stable)));

    [Fact]
    public void Another_revocation_after_the_first()
    {
        var revoking = To(11, [2, 3], null, 1, 2, 3).Next(Stable);
        Assert.Equal("UnrevokedPartitions 10<10 has 3@10 revokes 2@10", Show(To(12, [3], [2, 3], 1, 2, 3).Next(revoking)));
    }

    [Fact]
    public void A_topic_without_subscription_is_taken_away_whatever_the_target_says()
    {
        var both = Stable with { Assigned = OwnedPartitions.From(PartitionSet.From((A, [1]), (B, [1])), 10) };
        var step = new Reconciliation(10, PartitionSet.From((A, [1]), (B, [1])), new HashSet<Guid> { A }, true, (_, _) => true, null);
        var revoking = step.Next(both);
        Assert.Equal(MemberState.UnrevokedPartitions, revoking.State);
        Assert.Equal([B], revoking.Revoking.TopicIds);
        var done = (step with { SubscriptionChanged = false, Owned = PartitionSet.From((A, [1])) }).Next(revoking);
        Assert.Equal("Stable 10<10 has 1@10 revokes ", Show(done));
        Assert.Same(both, (step with { SubscribedTopics = new HashSet<Guid> { A, B } }).Next(both));
    }

    [Fact]
    public void A_state_of_a_newer_program_makes_the_member_begin_anew()
    {
        var unknown = Stable with { State = MemberState.Unknown, Assigned = OwnedPartitions.Empty };
        Assert.Equal(ErrorCode.FencedMemberEpoch, Assert.Throws<GroupException>(() => To(12, [1], null).Next(unknown)).Error);
        Assert.Equal(ErrorCode.FencedMemberEpoch, Assert.Throws<GroupException>(() => To(12, [1], [1]).Next(unknown)).Error);
        Assert.Equal("Stable 12<10 has 1@12 revokes ", Show(To(12, [1], []).Next(unknown)));
    }

    [Fact]
    public void Only_what_a_client_can_see_counts_as_a_change_of_its_partitions()
    {
        Assert.True(Owned(1, 1, 2).SamePartitions(Owned(5, 1, 2)));
        Assert.False(Owned(1, 1, 2).Equals(Owned(5, 1, 2)));
        Assert.Equal(Owned(5, 1, 2), Owned(1, 1, 2).WithEpochs(5));
        Assert.False(Owned(1, 1, 2).SamePartitions(Owned(1, 1)));
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 40)];

    /// <summary>A group whose target changes while its members are at any stage of following the last one.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void No_partition_has_two_holders_and_the_group_settles(int seed)
    {
        var random = new Random(seed);
        var members = Enumerable.Range(0, random.Next(2, 6)).Select(m => new ConsumerMember($"m{m}")).ToArray();
        var clients = members.Select(_ => PartitionSet.Empty).ToArray();
        var targets = new PartitionSet[members.Length];
        Array.Fill(targets, PartitionSet.Empty);
        var epoch = 0;
        for (var step = 0; step < 400; step++)
        {
            if (step < 300 && random.Next(15) == 0)
            {
                epoch++;
                var owners = Enumerable.Range(0, 12).Select(p => (Partition: p, Owner: random.Next(members.Length))).ToLookup(p => p.Owner, p => p.Partition);
                for (var m = 0; m < members.Length; m++)
                    targets[m] = PartitionSet.From((A, [.. owners[m]]));
            }
            var i = step < 300 ? random.Next(members.Length) : step % members.Length;
            bool Held(Guid topic, int partition) => members.Any(m => m.Assigned.Contains(topic, partition) || m.Revoking.Contains(topic, partition));
            members[i] = new Reconciliation(epoch, targets[i], new HashSet<Guid> { A }, false, Held, random.Next(3) == 0 && step < 300 ? null : clients[i]).Next(members[i]);
            // The client takes over what the answer gives it: it drops what is not in there, and owns the rest from now on.
            clients[i] = PartitionSet.From(members[i].Assigned.TopicIds.Select(t => (t, (IEnumerable<int>)members[i].Assigned.Of(t).Keys)));
            var held = members.SelectMany(m => m.Assigned.All().Concat(m.Revoking.All())).Select(p => (p.Topic, p.Partition)).ToList();
            Assert.Equal(held.Count, held.Distinct().Count());
            var consumed = clients.SelectMany(c => c.Of(A).ToArray()).ToList();
            Assert.Equal(consumed.Count, consumed.Distinct().Count());
        }
        Assert.All(members, m => Assert.True(m.IsReconciledTo(epoch)));
        for (var m = 0; m < members.Length; m++)
            Assert.Equal(targets[m], clients[m]);
    }
}
