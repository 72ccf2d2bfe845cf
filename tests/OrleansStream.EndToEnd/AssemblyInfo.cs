// One broker, one client at a time, in one collection; what mostly waits (for time-outs, for Apache Kafka) has its own and runs beside it.
[assembly: CollectionBehavior(CollectionBehavior.CollectionPerAssembly, MaxParallelThreads = 2)]
