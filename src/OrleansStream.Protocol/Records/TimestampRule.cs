namespace OrleansStream.Protocol.Records;

/// <summary>Which timestamps a topic takes from producers (KIP-937); milliseconds since 1970 UTC.</summary>
internal readonly struct TimestampRule
{
    private readonly long _earliest;
    private readonly long _latest;
    private readonly bool _wrongType;

    public TimestampRule(in RecordBatchRules rules, in RecordBatchHeader header)
    {
        _earliest = rules.LogAppendTime ? long.MinValue : rules.NowMs - Math.Min(rules.TimestampBeforeMaxMs, long.MaxValue + Math.Min(0, rules.NowMs));
        _latest = rules.LogAppendTime ? long.MaxValue : rules.NowMs + Math.Min(rules.TimestampAfterMaxMs, long.MaxValue - Math.Max(0, rules.NowMs));
        _wrongType = rules.LogAppendTime && header.IsLogAppendTime;
    }

    public bool Accepts(long timestamp) =>
        !_wrongType && (timestamp == RecordBatchLayout.NoTimestamp || (timestamp >= _earliest && timestamp <= _latest));

    public string Complaint(long timestamp) => _wrongType
        ? "A producer may not set the timestamp type LogAppendTime."
        : $"The timestamp {timestamp} is out of range: it has to be within [{_earliest}, {_latest}].";
}
