using System.Buffers;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Tests.Stores;

/// <summary>What every object store promises. Each test works under a prefix of its own.</summary>
public abstract class ObjectStoreContract
{
    private readonly string _prefix = $"t{Guid.NewGuid():N}/";

    /// <summary>The store under test; skips the test where there is none on this machine.</summary>
    protected abstract ValueTask<IObjectStore> StoreAsync();

    private static ReadOnlySequence<byte> Bytes(params byte[] bytes) => new(bytes);

    /// <summary>Content in several pieces of odd lengths, each byte telling its position.</summary>
    private static ReadOnlySequence<byte> Pieces(int length, int piece)
    {
        var all = Pattern(length);
        Piece? first = null, last = null;
        for (var at = 0; at < length; at += piece)
        {
            var next = new Piece(all.AsMemory(at, Math.Min(piece, length - at)), at);
            last?.Append(next);
            last = next;
            first ??= next;
        }
        return new ReadOnlySequence<byte>(first!, 0, last!, last!.Memory.Length);
    }

    private static byte[] Pattern(int length)
    {
        var all = new byte[length];
        for (var i = 0; i < length; i++)
            all[i] = (byte)((i * 31) ^ (i >> 8) ^ (i >> 16));
        return all;
    }

    private string Name(string name) => _prefix + name;

    [SkippableFact]
    public async Task What_was_created_is_read_back()
    {
        var store = await StoreAsync();
        var created = await store.CreateAsync(Name("a/b/c-1_x.y"), Bytes(1, 2, 3), default);
        var read = await store.ReadAsync(Name("a/b/c-1_x.y"), default);
        Assert.Equal(PutOutcome.Done, created.Outcome);
        Assert.Equal([1, 2, 3], read!.Content.ToArray());
        Assert.Equal(created.ETag, read.ETag);
    }

    [SkippableFact]
    public async Task A_second_create_conflicts_and_changes_nothing()
    {
        var store = await StoreAsync();
        await store.CreateAsync(Name("a"), Bytes(1), default);
        Assert.Equal(PutResult.Conflict, await store.CreateAsync(Name("a"), Bytes(2), default));
        Assert.Equal(PutResult.Conflict, await store.CreateAsync(Name("a"), Pieces(300_000, 1000), default));
        Assert.Equal([1], (await store.ReadAsync(Name("a"), default))!.Content.ToArray());
    }

    [SkippableFact]
    public async Task Of_many_creates_at_once_one_wins()
    {
        var store = await StoreAsync();
        var results = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => store.CreateAsync(Name("race"), Bytes((byte)i), default).AsTask()));
        var winner = Assert.Single(Enumerable.Range(0, 16), i => results[i].Outcome == PutOutcome.Done);
        Assert.All(results.Where((_, i) => i != winner), r => Assert.Equal(PutResult.Conflict, r));
        Assert.Equal([(byte)winner], (await store.ReadAsync(Name("race"), default))!.Content.ToArray());
    }

    [SkippableFact]
    public async Task A_replace_needs_the_newest_etag()
    {
        var store = await StoreAsync();
        var first = await store.CreateAsync(Name("m"), Bytes(1), default);
        var second = await store.ReplaceAsync(Name("m"), Bytes(2), first.ETag!, default);
        Assert.Equal(PutOutcome.Done, second.Outcome);
        Assert.Equal(PutResult.Conflict, await store.ReplaceAsync(Name("m"), Bytes(3), first.ETag!, default));
        var read = await store.ReadAsync(Name("m"), default);
        Assert.Equal([2], read!.Content.ToArray());
        Assert.Equal(second.ETag, read.ETag);
        Assert.Equal(PutOutcome.Done, (await store.ReplaceAsync(Name("m"), Bytes(4), read.ETag, default)).Outcome);
    }

    [SkippableFact]
    public async Task A_replace_of_nothing_conflicts()
    {
        var store = await StoreAsync();
        var there = await store.CreateAsync(Name("gone"), Bytes(1), default);
        await store.DeleteAsync(Name("gone"), default);
        Assert.Equal(PutResult.Conflict, await store.ReplaceAsync(Name("gone"), Bytes(2), there.ETag!, default));
        Assert.Null(await store.ReadAsync(Name("gone"), default));
    }

    [SkippableFact]
    public async Task No_increment_is_lost_among_many_swappers()
    {
        var store = await StoreAsync();
        await store.CreateAsync(Name("counter"), Bytes(0), default);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            for (var done = 0; done < 10;)
            {
                var read = (await store.ReadAsync(Name("counter"), default))!;
                var result = await store.ReplaceAsync(Name("counter"), Bytes((byte)(read.Content.Span[0] + 1)), read.ETag, default);
                done += result.Outcome == PutOutcome.Done ? 1 : 0;
            }
        }));
        Assert.Equal([80], (await store.ReadAsync(Name("counter"), default))!.Content.ToArray());
    }

    [SkippableTheory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(300_001, 777)]
    [InlineData(4_194_304, 65_536)]
    [InlineData(21_000_003, 1_234_567)]
    public async Task Content_of_any_size_and_shape_is_read_back_by_ranges(int length, int piece)
    {
        var store = await StoreAsync();
        var content = length == 0 ? default : Pieces(length, piece);
        Assert.Equal(PutOutcome.Done, (await store.CreateAsync(Name("big"), content, default)).Outcome);
        var expected = Pattern(length);
        foreach (var (from, size) in new[] { (0, length + 10), (0, 1 << 20), (1 << 20, 1 << 20), (length / 2, 999), (length - 5, 100), (length, 10), (length + 5000, 10) })
        {
            if (from < 0)
                continue;
            var destination = new byte[size];
            var read = await store.ReadRangeAsync(Name("big"), from, destination, default);
            Assert.Equal(Math.Clamp(length - from, 0, size), read);
            Assert.True(expected.AsSpan(Math.Min(from, length), read).SequenceEqual(destination.AsSpan(0, read)), $"bytes from {from}");
        }
    }

    [SkippableFact]
    public async Task What_is_not_there_is_null_an_exception_or_nothing_to_delete()
    {
        var store = await StoreAsync();
        Assert.Null(await store.ReadAsync(Name("no/such"), default));
        await Assert.ThrowsAsync<ObjectNotFoundException>(async () => await store.ReadRangeAsync(Name("no/such"), 0, new byte[10], default));
        await store.DeleteAsync(Name("no/such"), default);
    }

    [SkippableFact]
    public async Task A_list_is_by_prefix_and_in_ordinal_order()
    {
        var store = await StoreAsync();
        string[] names = ["l/b", "l/a/2", "l/a-1", "l/a/10", "l/a.x", "l/A", "l/a_", "l/a0", "m/x", "l/ab/c/d"];
        foreach (var name in names)
            await store.CreateAsync(Name(name), Bytes(new byte[name.Length]), default);
        await store.DeleteAsync(Name("l/b"), default);

        Assert.Equal(names.Where(n => n.StartsWith("l/", StringComparison.Ordinal) && n != "l/b").Order(StringComparer.Ordinal), await ListAsync("l/"));
        Assert.Equal(["l/a-1", "l/a.x", "l/a/10", "l/a/2", "l/a0", "l/a_", "l/ab/c/d"], await ListAsync("l/a"));
        Assert.Equal(["l/a/10", "l/a/2"], await ListAsync("l/a/"));
        Assert.Empty(await ListAsync("nothing/here"));

        async Task<List<string>> ListAsync(string prefix)
        {
            List<string> found = [];
            await foreach (var info in store.ListAsync(Name(prefix), default))
            {
                Assert.Equal(info.Name.Length - _prefix.Length, info.Length);
                found.Add(info.Name[_prefix.Length..]);
            }
            return found;
        }
    }

    [SkippableFact]
    public async Task A_name_deleted_may_be_created_again()
    {
        var store = await StoreAsync();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(PutOutcome.Done, (await store.CreateAsync(Name("d/e/f"), Bytes((byte)i), default)).Outcome);
            Assert.Equal([(byte)i], (await store.ReadAsync(Name("d/e/f"), default))!.Content.ToArray());
            await store.DeleteAsync(Name("d/e/f"), default);
        }
    }

    [SkippableFact]
    public async Task A_call_that_is_cancelled_before_it_begins_does_nothing()
    {
        var store = await StoreAsync();
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.CreateAsync(Name("x"), Bytes(1), cancelled));
        Assert.Null(await store.ReadAsync(Name("x"), default));
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long runningIndex)
        {
            Memory = memory;
            RunningIndex = runningIndex;
        }

        public void Append(Piece next) => Next = next;
    }
}
