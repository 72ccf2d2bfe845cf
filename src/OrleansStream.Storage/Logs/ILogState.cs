namespace OrleansStream.Storage.Logs;

/// <summary>
/// State that follows from a log's records alone (the producers of a partition): the log feeds it every batch in order, live and at replay through the
/// same method, and keeps snapshots of it with sealed data. Called under the log's <see cref="PartitionLog.Sync"/>.
/// </summary>
public interface ILogState
{
    /// <summary>A whole batch has its place in the log. <paramref name="header"/> is the batch from its first byte on, at least the header.</summary>
    void Apply(ReadOnlySpan<byte> header);

    /// <summary>The state after the last applied batch, as bytes for <see cref="Load"/>.</summary>
    byte[] Snapshot();

    /// <summary>Replaces the state. Called once, before any <see cref="Apply"/>; empty where the log has no snapshot.</summary>
    void Load(ReadOnlySpan<byte> snapshot);
}

/// <summary>Told that a log's high watermark moved, or that the log stepped down. Called on the journal's loop: be short.</summary>
public interface ILogWatcher
{
    void Changed();
}
