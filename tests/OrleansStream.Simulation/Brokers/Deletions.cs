namespace OrleansStream.Simulation;

/// <summary>What was asked and answered about the start of one partition's log, and so where it may begin in the end.</summary>
internal sealed class Deletions
{
    /// <summary>
    /// Retention counts what is accepted and not durable yet, and a crash may lose that: so much less than retention.bytes may be left.
    /// </summary>
    private const long NotDurable = 64 << 10;

    private long _highestAsked;
    private long _highestAnswered;
    private int _boundless;

    /// <summary>A deletion of everything before an offset was asked for; of all there is with -1.</summary>
    public void Asked(long before)
    {
        if (before < 0)
        {
            _boundless++;
        }

        _highestAsked = Math.Max(_highestAsked, before);
    }

    /// <summary>It was answered with the new start.</summary>
    public void Done(long before, long start)
    {
        if (before < 0)
        {
            _boundless--;
            _highestAsked = Math.Max(_highestAsked, start);
        }

        _highestAnswered = Math.Max(_highestAnswered, start);
    }

    /// <summary>What is wrong with where the log begins in the end; null where nothing is.</summary>
    /// <param name="log">The whole log.</param>
    /// <param name="retention">The least that retention was ever told to keep, in bytes.</param>
    public string? Fault(FinalLog log, long retention)
    {
        if (log.Start < _highestAnswered)
        {
            return $"the log begins at {log.Start}, though everything before {_highestAnswered} was deleted, durably";
        }

        if (log.Start > _highestAsked && _boundless == 0 && log.SizeBytes < retention - NotDurable)
        {
            return $"the log begins at {log.Start} and has {log.SizeBytes} bytes: nobody deleted more than what lies before {_highestAsked}, and retention was to keep "
                + (retention == long.MaxValue ? "everything" : $"{retention} bytes");
        }

        return null;
    }
}
