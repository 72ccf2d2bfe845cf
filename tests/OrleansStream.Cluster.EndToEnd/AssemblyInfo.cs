// One cluster at a time: these tests own the machine while they run.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
