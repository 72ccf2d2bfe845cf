using OrleansStream.Hosting.Configuration;

namespace OrleansStream.Hosting.Tests;

public sealed class CommandLineTests
{
    [Fact]
    public void Options_are_settings_with_dashes_for_dots()
    {
        CommandLine line = CommandLine.Parse(["--memory-budget", "5", "--data=/x=y", "--override", "a.b=c=d", "--override=e=f", "--num-partitions=3"], Programs.Some);
        Assert.Equal(
            [("memory.budget.bytes", "5"), ("log.dirs", "/x=y"), ("a.b", "c=d"), ("e", "f"), ("num.partitions", "3")],
            line.Settings.Select(s => (s.Key, s.Value)));
    }

    [Fact]
    public void A_switch_may_stand_alone()
    {
        CommandLine line = CommandLine.Parse(["--allow-insecure-listeners", "--auto-create-topics-enable", "false", "--some-switch"], Programs.Some);
        Assert.Equal(["true", "false", "true"], line.Settings.Select(s => s.Value));
    }

    [Theory]
    [InlineData("stray", "'stray' is no option")]
    [InlineData("--override=nope", "--override takes key=value")]
    [InlineData("--data", "--data needs a value")]
    public void What_is_wrong_is_said(string argument, string sentence) =>
        Assert.Contains(sentence, Assert.Throws<UsageException>(() => CommandLine.Parse([argument], Programs.Some)).Message, StringComparison.Ordinal);
}
