using System.Globalization;
using System.Text;
using OrleansStream.Platform.Files;
using OrleansStream.Platform.Journals;
using OrleansStream.Platform.Stores;

namespace OrleansStream.Platform.Tests.Stores;

public sealed class TwoProcessTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task No_swap_of_either_process_is_lost()
    {
        using var store = new FolderObjectStore(_folder.Path);
        await store.CreateAsync("counter", new("0"u8.ToArray()), default);
        using var one = SecondProcess.Start("increment", _folder.Path, "150");
        using var two = SecondProcess.Start("increment", _folder.Path, "150");
        await one.WaitForExitAsync();
        await two.WaitForExitAsync();
        Assert.Equal((0, 0), (one.ExitCode, two.ExitCode));
        Assert.Equal("300", Encoding.ASCII.GetString((await store.ReadAsync("counter", default))!.Content.Span));
    }

    [Fact]
    public async Task Each_name_is_created_by_one_process()
    {
        using var one = SecondProcess.Start("create", _folder.Path, "200", "one");
        using var two = SecondProcess.Start("create", _folder.Path, "200", "two");
        var wins = new[] { one, two }.Select(p => int.Parse(p.StandardOutput.ReadToEnd(), CultureInfo.InvariantCulture)).ToList();
        await Task.WhenAll(one.WaitForExitAsync(), two.WaitForExitAsync());
        using var store = new FolderObjectStore(_folder.Path);
        var ones = 0;
        for (var i = 0; i < 200; i++)
            ones += Encoding.ASCII.GetString((await store.ReadAsync($"race/{i}", default))!.Content.Span) == "one" ? 1 : 0;
        Assert.Equal([ones, 200 - ones], wins);
    }

    [Fact]
    public async Task A_second_process_is_told_who_holds_the_journal_and_gets_it_when_that_one_is_killed()
    {
        using var holder = SecondProcess.Start("lock", _folder.Path);
        Assert.Equal("locked", await holder.StandardOutput.ReadLineAsync());
        using (var refused = SecondProcess.Start("lock", _folder.Path))
        {
            var sentence = await refused.StandardOutput.ReadLineAsync();
            await refused.WaitForExitAsync();
            Assert.Equal(3, refused.ExitCode);
            Assert.Contains($"id {holder.Id}", sentence);
        }
        Assert.Throws<FolderInUseException>(() => new JournalFolder(_folder.Path));
        holder.Kill();
        await holder.WaitForExitAsync();
        using var mine = new JournalFolder(_folder.Path);
    }

    [Fact]
    public async Task What_a_killed_process_left_half_written_is_cleared_at_the_next_start()
    {
        // A living process beside us keeps its own temporary folder; a dead one's is what nobody locks.
        using var living = new FolderObjectStore(_folder.Path);
        var temporaries = _folder.Combine(Path.Combine(".store", "temporary"));
        var mine = Assert.Single(Directory.GetDirectories(temporaries));
        var dead = Path.Combine(temporaries, "dead");
        Directory.CreateDirectory(dead);
        await File.WriteAllTextAsync(Path.Combine(dead, "7"), "half");
        using (new FolderObjectStore(_folder.Path))
        {
            Assert.False(Directory.Exists(dead));
            Assert.True(Directory.Exists(mine));
        }
        await living.CreateAsync("x/y", new("1"u8.ToArray()), default);
        Assert.DoesNotContain(Directory.GetFiles(mine), f => Path.GetFileName(f) != "lock");
        await living.DeleteAsync("x/y", default);
        Assert.False(Directory.Exists(_folder.Combine("x")));
    }
}
