namespace OrleansStream.Client;

/// <summary>How patient a client is. The names in brackets are Kafka's for the same.</summary>
public sealed class OrleansStreamClientOptions
{
    /// <summary>How long a call is tried, failed attempts and their pauses included (delivery.timeout.ms).</summary>
    public TimeSpan DeliveryTimeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// How long one attempt may take (request.timeout.ms). Below Orleans' own 30 s: a call to a silo that was killed is only seen to fail by its time-out, and
    /// the partition serves elsewhere long before.
    /// </summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The pause before the second attempt; each is twice the one before (retry.backoff.ms).</summary>
    public TimeSpan RetryBackoff { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The longest pause between two attempts (retry.backoff.max.ms).</summary>
    public TimeSpan RetryBackoffMax { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>After this time the number of a topic's partitions is asked for again (metadata.max.age.ms).</summary>
    public TimeSpan MetadataMaxAge { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How much a producer gathers in one batch, in bytes before compression, unless one record alone is more (batch.size).</summary>
    public int BatchSize { get; set; } = 512 * 1024;

    /// <summary>How much a reader asks for at once, in bytes (max.partition.fetch.bytes).</summary>
    public int FetchBytes { get; set; } = 1024 * 1024;

    /// <summary>How long a reader's call waits at the partition for the first record (fetch.max.wait.ms); shorter than <see cref="RequestTimeout"/>.</summary>
    public TimeSpan FetchMaxWait { get; set; } = TimeSpan.FromSeconds(2);
}
