using OrleansStream.Storage.Memory;
using OrleansStream.TestSupport;

namespace OrleansStream.Storage.Tests.Memory;

public class MemoryBudgetTests
{
    private const int Chunk = 16 << 10;
    private readonly TestPorts _ports = new();
    private readonly ArrayChunkSource _source = new();
    private readonly MemoryBudget _budget;
    private readonly ChunkPool _pool;

    public MemoryBudgetTests()
    {
        _budget = new MemoryBudget(10 * Chunk, _ports.Time);
        _pool = new ChunkPool(_source, _budget, _ports.Runtime);
    }

    [Fact]
    public async Task Below_the_budget_everybody_is_admitted_at_once()
    {
        _pool.Rent(Chunk, 0);
        Assert.True(_budget.AdmitAsync(9 * Chunk, default).IsCompletedSuccessfully);
        Assert.Equal(0, await _budget.AdmitAsync(9 * Chunk, default));
    }

    [Fact]
    public async Task Over_the_budget_producers_wait_in_order_and_are_told_how_long()
    {
        var pressed = 0;
        _budget.Pressed = () => pressed++;
        var chunks = Enumerable.Range(0, 10).Select(_ => _pool.Rent(Chunk, 0)).ToList();
        var first = _budget.AdmitAsync(2 * Chunk, default).AsTask();
        var second = _budget.AdmitAsync(10, default).AsTask();
        Assert.True(pressed > 0);
        Assert.Equal(2, _budget.WaitingCount);
        _ports.Time.Advance(TimeSpan.FromMilliseconds(30));
        chunks[0].Release();
        Assert.False(first.IsCompleted || second.IsCompleted);
        chunks[1].Release();
        Assert.Equal(30, await first);
        Assert.False(second.IsCompleted);
        chunks[2].Release();
        Assert.Equal(30, await second);
    }

    [Fact]
    public async Task What_is_sealed_goes_first_and_oldest_first()
    {
        var evicted = new List<int>();
        for (var i = 0; i < 10; i++)
            _budget.AddEvictable(new Sealed(i, _pool.Rent(Chunk, 0), evicted));
        Assert.Equal(0, await _budget.AdmitAsync(3 * Chunk, default));
        Assert.Equal([0, 1, 2], evicted);
    }

    [Fact]
    public async Task A_request_larger_than_the_budget_passes_when_memory_is_empty()
    {
        var chunk = _pool.Rent(Chunk, 0);
        var large = _budget.AdmitAsync(100 * Chunk, default).AsTask();
        Assert.False(large.IsCompleted);
        chunk.Release();
        await large;
    }

    [Fact]
    public async Task A_producer_that_goes_away_gives_its_turn_to_the_next()
    {
        var chunks = Enumerable.Range(0, 10).Select(_ => _pool.Rent(Chunk, 0)).ToList();
        using var cancel = new CancellationTokenSource();
        var first = _budget.AdmitAsync(5 * Chunk, cancel.Token).AsTask();
        var second = _budget.AdmitAsync(Chunk, default).AsTask();
        chunks[0].Release();
        Assert.False(second.IsCompleted);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await second;
        Assert.Equal(0, _budget.WaitingCount);
    }

    [Fact]
    public void Memory_is_reused_and_given_back_after_a_minute_idle()
    {
        var first = _pool.Rent(100, 0);
        var memory = first.Memory;
        first.Release();
        Assert.Equal((0, Chunk), (_budget.UsedBytes, _pool.IdleBytes));
        var second = _pool.Rent(100, 0);
        Assert.Equal(memory, second.Memory);
        second.Release();
        _ports.Time.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal((0, 0), (_pool.IdleBytes, _source.BytesOut));
    }

    [Fact]
    public void A_stale_reference_never_revives_a_chunk()
    {
        var chunk = _pool.Rent(100, 0);
        Assert.True(chunk.TryRetain());
        chunk.Release();
        chunk.Release();
        Assert.False(chunk.TryRetain());
        Assert.Throws<InvalidOperationException>(chunk.Release);
    }

    [Fact]
    public void A_batch_larger_than_every_class_gets_a_chunk_of_its_size()
    {
        var chunk = _pool.Rent((4 << 20) + 1, 0);
        Assert.Equal((4 << 20) + 1, chunk.Length);
        chunk.Release();
        Assert.Equal((0, 0), (_pool.IdleBytes, _source.BytesOut));
    }

    [Fact]
    public void Idle_memory_makes_room_before_the_sum_passes_the_budget()
    {
        var chunks = Enumerable.Range(0, 10).Select(_ => _pool.Rent(Chunk, 0)).ToList();
        chunks.ForEach(static chunk => chunk.Release());
        _pool.Rent(4 * Chunk, 0);
        Assert.True(_source.BytesOut <= 11 * Chunk, $"{_source.BytesOut}");
    }

    private sealed class Sealed(int number, Chunk chunk, List<int> evicted) : IEvictable
    {
        public void Evict()
        {
            evicted.Add(number);
            chunk.Release();
        }
    }
}
