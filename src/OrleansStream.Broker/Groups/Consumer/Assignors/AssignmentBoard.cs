namespace OrleansStream.Broker.Groups.Consumer.Assignors;

/// <summary>
/// Who has which partition while an assignment is worked out. It begins with the last target assignment, as far as that still makes sense. Members and topics
/// are numbers here, in the order of their ids, so that equal tasks have equal results.
/// </summary>
internal sealed class AssignmentBoard
{
    private readonly AssignorMember[] _members;
    private readonly Guid[] _topics;
    private readonly int[] _loads;

    /// <summary>By topic: who may have its partitions.</summary>
    private readonly List<int>[] _subscribers;

    /// <summary>By topic: the partitions that nobody has, ascending.</summary>
    private readonly Queue<int>[] _free;

    /// <summary>By member and topic: its partitions, those it had before in front.</summary>
    private readonly SortedDictionary<int, List<int>>[] _held;

    public AssignmentBoard(AssignmentTask task)
    {
        _members = [.. task.Members.OrderBy(m => m.Id, StringComparer.Ordinal)];
        _topics = [.. task.Partitions.Keys.Order()];
        _loads = new int[_members.Length];
        _held = new SortedDictionary<int, List<int>>[_members.Length];
        for (var m = 0; m < _members.Length; m++)
            _held[m] = [];
        _subscribers = new List<int>[_topics.Length];
        _free = new Queue<int>[_topics.Length];
        for (var t = 0; t < _topics.Length; t++)
            Place(t, task.Partitions[_topics[t]]);
    }

    /// <summary>All partitions, taken or free.</summary>
    public int PartitionCount { get; private set; }

    public int Load(int member) => _loads[member];

    /// <summary>All members, those with the fewest partitions first.</summary>
    public IEnumerable<int> MembersByLoad() => Enumerable.Range(0, _members.Length).OrderBy(m => _loads[m]).ThenBy(m => m).ToArray();

    /// <summary>Takes partitions from a member until it has no more than <paramref name="keep"/>, always of the topic of which it has most.</summary>
    public void ReleaseBeyond(int member, int keep)
    {
        if (_loads[member] <= keep)
            return;
        var byCount = new PriorityQueue<int, (int, int)>();
        foreach (var (topic, partitions) in _held[member])
            byCount.Enqueue(topic, (-partitions.Count, topic));
        while (_loads[member] > keep)
        {
            var topic = byCount.Dequeue();
            _free[topic].Enqueue(Take(member, topic));
            if (_held[member].TryGetValue(topic, out var left))
                byCount.Enqueue(topic, (-left.Count, topic));
        }
    }

    /// <summary>Gives every free partition to that subscriber of its topic that has the fewest partitions; topics with the fewest subscribers first.</summary>
    public void DealToLeastLoaded()
    {
        foreach (var topic in Enumerable.Range(0, _topics.Length).Where(t => _subscribers[t].Count > 0).OrderBy(t => _subscribers[t].Count).ThenBy(t => t))
        {
            if (_free[topic].Count == 0)
                continue;
            var byLoad = new PriorityQueue<int, (int, int)>(_subscribers[topic].Select(m => (m, (_loads[m], m))));
            while (_free[topic].TryDequeue(out var partition))
            {
                var member = byLoad.Dequeue();
                Give(member, topic, partition);
                byLoad.Enqueue(member, (_loads[member], member));
            }
        }
    }

    /// <summary>
    /// Moves one partition away from a member, along the shortest chain of moves that ends at a member with at least two fewer: what each in between gets of
    /// one topic it passes on of another. False where there is no such chain.
    /// </summary>
    public bool ShiftFrom(int member)
    {
        var from = new (int Member, int Topic)[_members.Length];
        var seenMember = new bool[_members.Length];
        var seenTopic = new bool[_topics.Length];
        var queue = new Queue<int>();
        queue.Enqueue(member);
        seenMember[member] = true;
        while (queue.TryDequeue(out var giver))
        {
            foreach (var topic in _held[giver].Keys)
            {
                if (seenTopic[topic])
                    continue;
                seenTopic[topic] = true;
                foreach (var taker in _subscribers[topic])
                {
                    if (seenMember[taker])
                        continue;
                    seenMember[taker] = true;
                    from[taker] = (giver, topic);
                    if (_loads[taker] <= _loads[member] - 2)
                    {
                        for (var m = taker; m != member; m = from[m].Member)
                            Give(m, from[m].Topic, Take(from[m].Member, from[m].Topic));
                        return true;
                    }
                    queue.Enqueue(taker);
                }
            }
        }
        return false;
    }

    public IReadOnlyDictionary<string, PartitionSet> Result()
    {
        var result = new Dictionary<string, PartitionSet>(StringComparer.Ordinal);
        for (var m = 0; m < _members.Length; m++)
        {
            var set = PartitionSet.From(_held[m].Select(t => (_topics[t.Key], (IEnumerable<int>)t.Value)));
            // The very object of before where nothing changed: comparing it then costs nothing.
            result[_members[m].Id] = set.Equals(_members[m].Previous) ? _members[m].Previous : set;
        }
        return result;
    }

    private void Place(int topic, int partitions)
    {
        PartitionCount += partitions;
        _subscribers[topic] = [];
        var taken = new bool[partitions];
        for (var m = 0; m < _members.Length; m++)
        {
            if (!_members[m].Topics.Contains(_topics[topic]))
                continue;
            _subscribers[topic].Add(m);
            foreach (var partition in _members[m].Previous.Of(_topics[topic]))
            {
                if (partition >= partitions || taken[partition])
                    continue;
                taken[partition] = true;
                Give(m, topic, partition);
            }
        }
        _free[topic] = new Queue<int>(Enumerable.Range(0, partitions).Where(p => !taken[p]));
    }

    private void Give(int member, int topic, int partition)
    {
        if (!_held[member].TryGetValue(topic, out var partitions))
            _held[member][topic] = partitions = [];
        partitions.Add(partition);
        _loads[member]++;
    }

    /// <summary>Takes the partition that the member got last.</summary>
    private int Take(int member, int topic)
    {
        var partitions = _held[member][topic];
        var partition = partitions[^1];
        partitions.RemoveAt(partitions.Count - 1);
        if (partitions.Count == 0)
            _held[member].Remove(topic);
        _loads[member]--;
        return partition;
    }
}
