using OrleansStream.Hosting.Configuration;

namespace OrleansStream.Hosting.Tests;

public sealed class PropertiesFileTests
{
    [Theory]
    [InlineData("a=b", "a", "b")]
    [InlineData("  a.b.c  =  d e  ", "a.b.c", "d e")]
    [InlineData("a:b=c", "a", "b=c")]
    [InlineData("a b", "a", "b")]
    [InlineData("a", "a", "")]
    [InlineData("a\\=b=c", "a=b", "c")]
    [InlineData("a=one,\\\n   two", "a", "one,two")]
    [InlineData("a=C:\\\\data\\u0041", "a", "C:\\dataA")]
    [InlineData("# x=y\n! z=w\n\na=b # no comment", "a", "b # no comment")]
    public void A_line_is_read_as_Java_reads_it(string text, string key, string value)
    {
        KeyValuePair<string, string> pair = Assert.Single(PropertiesFile.Parse(text));
        Assert.Equal((key, value), (pair.Key, pair.Value));
    }
}
