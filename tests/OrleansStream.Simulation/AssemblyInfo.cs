// A run waits for the thread pool to be idle, so nothing else may use it meanwhile.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
