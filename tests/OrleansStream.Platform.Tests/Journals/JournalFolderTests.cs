using OrleansStream.Platform.Files;
using OrleansStream.Platform.Journals;

namespace OrleansStream.Platform.Tests.Journals;

public sealed class JournalFolderTests : IDisposable
{
    private readonly TemporaryFolder _temporary = new();

    public void Dispose() => _temporary.Dispose();

    /// <summary>Distinct bytes in parts of odd lengths that sum up to whole pages.</summary>
    private static List<ReadOnlyMemory<byte>> Parts(int total, int part, byte seed)
    {
        var all = new byte[total];
        for (var i = 0; i < total; i++)
            all[i] = (byte)(seed + i + (i >> 8));
        List<ReadOnlyMemory<byte>> parts = [];
        for (var at = 0; at < total; at += part)
            parts.Add(all.AsMemory(at, Math.Min(part, total - at)));
        return parts;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_written_is_read_back_also_by_the_next_process(bool direct)
    {
        const int Length = 16 << 20;
        var parts = Parts(9 << 20, 777_777, 3);
        using (var folder = new JournalFolder(_temporary.Path, direct))
        {
            await using var file = await folder.OpenAsync("ring-0", Length, default);
            Assert.Equal(Length, file.Length);
            await file.WriteAsync(4096, parts, default);
            await file.WriteAsync(0, Parts(4096, 4096, 9), default);
        }
        using var again = new JournalFolder(_temporary.Path, direct);
        Assert.Equal([("ring-0", (long)Length)], again.List().Select(f => (f.Name, f.Length)));
        await using var opened = await again.OpenAsync("ring-0", null, default);
        var bytes = new byte[Length + 8192];
        Assert.Equal(Length, await opened.ReadAsync(0, bytes, default));
        Assert.Equal(Parts(4096, 4096, 9)[0].ToArray(), bytes[..4096]);
        Assert.Equal(parts.SelectMany(p => p.ToArray()), bytes.Skip(4096).Take(9 << 20));
        Assert.Equal(0, bytes[4096 + (9 << 20)]);
        Assert.Equal(0, await opened.ReadAsync(Length, bytes.AsMemory(0, 4096), default));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Zeroing_clears_the_whole_file(bool direct)
    {
        using var folder = new JournalFolder(_temporary.Path, direct);
        await using var file = await folder.OpenAsync("a", 3 << 20, default);
        await file.WriteAsync(0, Parts(3 << 20, 1 << 20, 1), default);
        await file.ZeroAsync(default);
        var bytes = new byte[3 << 20];
        Assert.Equal(bytes.Length, await file.ReadAsync(0, bytes, default));
        Assert.False(bytes.AsSpan().ContainsAnyExcept((byte)0));
    }

    [Fact]
    public async Task A_folder_without_direct_io_works_too()
    {
        // /dev/shm is tmpfs on every Linux, and most kernels refuse direct I/O there.
        if (!Directory.Exists("/dev/shm"))
            return;
        var path = Path.Combine("/dev/shm", Path.GetRandomFileName());
        try
        {
            using var folder = new JournalFolder(path);
            await using var file = await folder.OpenAsync("a", 1 << 20, default);
            await file.WriteAsync(8192, Parts(8192, 5000, 1), default);
            var bytes = new byte[8192];
            await file.ReadAsync(8192, bytes, default);
            Assert.Equal(Parts(8192, 5000, 1).SelectMany(p => p.ToArray()), bytes);
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }

    [Fact]
    public async Task Renaming_and_deleting_change_the_list_and_never_overwrite()
    {
        using var folder = new JournalFolder(_temporary.Path);
        await (await folder.OpenAsync("b", 4096, default)).DisposeAsync();
        await (await folder.OpenAsync("a", 8192, default)).DisposeAsync();
        await folder.RenameAsync("b", "c", default);
        Assert.Equal(["a", "c"], folder.List().Select(f => f.Name));
        await Assert.ThrowsAnyAsync<IOException>(async () => await folder.RenameAsync("a", "c", default));
        await Assert.ThrowsAnyAsync<IOException>(async () => await folder.OpenAsync("a", 4096, default));
        await folder.DeleteAsync("c", default);
        Assert.Equal(["a"], folder.List().Select(f => f.Name));
        await Assert.ThrowsAnyAsync<IOException>(async () => await folder.OpenAsync("c", null, default));
    }

    [Fact]
    public async Task Writes_beside_page_boundaries_or_beyond_the_file_are_refused()
    {
        using var folder = new JournalFolder(_temporary.Path);
        await using var file = await folder.OpenAsync("a", 8192, default);
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await file.WriteAsync(512, Parts(4096, 4096, 1), default));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await file.WriteAsync(0, Parts(4000, 4000, 1), default));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await file.WriteAsync(4096, Parts(8192, 4096, 1), default));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await folder.OpenAsync("../x", 4096, default));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await folder.OpenAsync("lock", 4096, default));
    }

    [Fact]
    public void A_folder_is_for_one_at_a_time()
    {
        using (new JournalFolder(_temporary.Path))
        {
            var error = Assert.Throws<FolderInUseException>(() => new JournalFolder(_temporary.Path));
            Assert.Contains(_temporary.Path, error.Message);
        }
        using var next = new JournalFolder(_temporary.Path);
    }
}
