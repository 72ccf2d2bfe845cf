using System.Buffers;

namespace OrleansStream.Storage.Ports;

/// <summary>
/// Where the chunks of hot memory come from: native memory on huge pages in production, plain arrays in the simulation. Disposing an owner gives
/// the memory back to the operating system; pooling, reference counting and the budget are the pool's, not the source's.
/// </summary>
public interface IChunkSource
{
    IMemoryOwner<byte> Allocate(int length);

    /// <summary>Touches the pages of a fresh chunk so that the first append need not; called in the background, ahead of demand.</summary>
    void Touch(Memory<byte> memory);
}
