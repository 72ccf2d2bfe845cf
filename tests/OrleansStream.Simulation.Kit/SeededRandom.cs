using OrleansStream.Storage.Ports;

namespace OrleansStream.Simulation.Kit;

/// <summary>Random bytes that the seed determines.</summary>
public sealed class SeededRandom(int seed) : IRandomSource
{
    private readonly Random _random = new(seed);

    public void Fill(Span<byte> bytes) => _random.NextBytes(bytes);
}
