using OrleansStream.Platform.Files;
using OrleansStream.Hosting.Data;
using OrleansStream.Storage;

namespace OrleansStream.Hosting.Tests;

public sealed class DataFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ostream-data-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_folder_is_made_and_opened_again()
    {
        string path = Path.Combine(_folder, "new");
        DataFolder.Open(path).Dispose();
        using DataFolder again = DataFolder.Open(path);
        Assert.Equal("orleansstream-data 1\n", File.ReadAllText(Path.Combine(path, "format")));
    }

    [Fact]
    public void A_folder_in_use_is_refused()
    {
        using DataFolder open = DataFolder.Open(_folder);
        Assert.Contains("in use by another process", Assert.Throws<FolderInUseException>(() => DataFolder.Open(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_is_for_one_process_or_for_those_that_share_it()
    {
        using (DataFolder first = DataFolder.Open(_folder, shared: true))
        using (DataFolder second = DataFolder.Open(_folder, shared: true))
            Assert.Throws<FolderInUseException>(() => DataFolder.Open(_folder));
        using DataFolder alone = DataFolder.Open(_folder);
        Assert.Throws<FolderInUseException>(() => DataFolder.Open(_folder, shared: true));
    }

    [Theory]
    [InlineData("orleansstream-data 2\n", "newer version")]
    [InlineData("something else", "not ours")]
    public void A_folder_of_another_format_is_refused_and_let_go(string format, string sentence)
    {
        File.WriteAllText(Path.Combine(_folder, "format"), format);
        for (int i = 0; i < 2; i++)
            Assert.Contains(sentence, Assert.Throws<UnsupportedFormatException>(() => DataFolder.Open(_folder)).Message, StringComparison.Ordinal);
    }
}
