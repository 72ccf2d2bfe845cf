using OrleansStream.Broker.Groups;
using OrleansStream.Broker.Groups.Consumer;
using OrleansStream.Protocol;

namespace OrleansStream.Broker.Tests.Groups.Consumer;

/// <summary>Regular expressions of subscriptions: RE2's language, matched against whole names.</summary>
public sealed class TopicRegexTests
{
    [Theory]
    [InlineData("foo*", "fo,foo,fooo", "f,foobar,xfoo")]
    [InlineData("foo|bar", "foo,bar", "foobar,foo1")]
    [InlineData("^foo.*$", "foo,foobar", "xfoo")]
    [InlineData("t-[0-9]{2,3}", "t-12,t-123", "t-1,t-1234")]
    [InlineData("(?i)Orders", "orders,ORDERS", "order")]
    [InlineData("(?P<name>a+)b", "aab", "b")]
    [InlineData("(?<name>a+)b", "ab", "b")]
    [InlineData(@"\Qa.b\E.*", "a.b,a.bc", "axb")]
    [InlineData("[[:alpha:]]+", "abc", "abc1")]
    [InlineData("[a-z-[aeiou]]+", "b]]", "b")] // .NET would subtract the vowels; for RE2 the class ends at the first ]
    [InlineData("(a*)*b", "aaaab,b", "aaaa")]
    [InlineData("(?U)a+", "aaa", "b")]
    [InlineData("", "", "a")]
    public void Whole_names_match(string pattern, string matching, string others)
    {
        var regex = TopicRegex.Parse(pattern);
        Assert.All(matching.Split(','), name => Assert.True(regex.Matches(name), name));
        Assert.All(others.Split(','), name => Assert.False(regex.Matches(name), name));
    }

    [Theory]
    [InlineData("[")]
    [InlineData("*a")]
    [InlineData("a)(b")]
    [InlineData("(a")]
    [InlineData("(?=a)a")]
    [InlineData("(?<!a)b")]
    [InlineData("(?>a)b")]
    [InlineData(@"(a)\1")]
    [InlineData("(?x) a")]
    [InlineData("(?#note)a")]
    [InlineData("a{1001}")]
    [InlineData("((a{100}){100}){100}")]
    [InlineData("[[:nothing:]]")]
    [InlineData("a\\")]
    public void What_RE2_does_not_know_is_refused(string pattern)
    {
        var refusal = Assert.Throws<GroupException>(() => TopicRegex.Parse(pattern));
        Assert.Equal(ErrorCode.InvalidRegularExpression, refusal.Error);
        Assert.StartsWith($"SubscribedTopicRegex `{pattern}` is not a valid regular expression: ", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Repetitions_side_by_side_are_no_reason_to_refuse()
    {
        Assert.True(TopicRegex.Parse("a{100}b{100}c{100}").Matches(new string('a', 100) + new string('b', 100) + new string('c', 100)));
        Assert.Throws<GroupException>(() => TopicRegex.Parse(new string('a', 5000)));
    }

    [Fact]
    public void A_pattern_that_makes_other_engines_backtrack_for_ever_is_answered()
    {
        var regex = TopicRegex.Parse("(a+)+(a+)+(a+)+x");
        Assert.False(regex.Matches(new string('a', 249)));
    }
}
