using OrleansStream.Broker.Groups.Records;

namespace OrleansStream.Broker.Groups.Runtime;

/// <summary>
/// Takes the records that a decision is made of. Each is replayed on the state at once, by the very code that replays it at loading, and is appended to
/// the partition at the end of the turn; no answer leaves before that is durable. There is no way back: who writes has decided.
/// </summary>
internal interface IRecordSink
{
    /// <summary>Throws <see cref="GroupException"/> (before anything changed) where a record is larger than the partition takes.</summary>
    void Write(in CoordinatorRecord record);
}
