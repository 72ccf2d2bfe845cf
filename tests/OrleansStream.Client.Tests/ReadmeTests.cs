namespace OrleansStream.Client.Tests;

public sealed class ReadmeTests
{
    [Fact]
    public void The_code_in_the_readme_is_the_sample_s_which_is_compiled()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "OrleansStream.sln")))
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("the tests do not run in the repository");
        string sample = string.Concat(Directory.GetFiles(Path.Combine(root, "samples", "OrdersService"), "*.cs").Select(File.ReadAllText));
        IEnumerable<string> section = File.ReadLines(Path.Combine(root, "README.md"))
            .SkipWhile(static l => l != "## Without a Kafka client").Skip(1).TakeWhile(static l => !l.StartsWith("## ", StringComparison.Ordinal));
        string[] code = [.. section.Where(static l => l.StartsWith("    ", StringComparison.Ordinal)).Select(static l => l.Trim())];
        Assert.NotEmpty(code);
        Assert.All(code, line => Assert.Contains(line, sample, StringComparison.Ordinal));
    }
}
