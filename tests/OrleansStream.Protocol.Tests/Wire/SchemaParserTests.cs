using OrleansStream.Protocol.Generator;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>A wrong schema is refused at the line that is wrong, so that the build can say where.</summary>
public class SchemaParserTests
{
    [Theory]
    [InlineData("request Produce versions 0", "must be a number", 1)]
    [InlineData("request Produce 0 versions 0+", "needs a last version", 1)]
    [InlineData("request Produce 0 versions 3-1", "is no version range", 1)]
    [InlineData("something Produce 0", "expected namespace", 1)]
    [InlineData("data A versions 0|  X int32|  X int64", "is here twice", 3)]
    [InlineData("data A versions 0|  X int33", "is no name", 2)]
    [InlineData("data A versions 0|  X Missing", "has no fields", 1)]
    [InlineData("data A versions 0|   X int32", "two spaces", 2)]
    [InlineData("data A versions 0|  X int32|    Y int32", "not a struct", 3)]
    [InlineData("data A versions 0|  X int32 = 5000000000", "is no default", 2)]
    [InlineData("data A versions 0|  X int32?", "cannot be null", 2)]
    [InlineData("data A versions 0|  X string = null", "is no default", 2)]
    [InlineData("data A versions 0|  X string tag 0", "not flexible", 2)]
    [InlineData("data A versions 0 flexible 0+|  X int32 tag 0|  Y int32 tag 0", "is here twice", 3)]
    [InlineData("data A versions 0 flexible 0+|  X records tag 0", "cannot be tagged", 2)]
    [InlineData("data A versions 0 flexible 0+|  X B tag 0|    Y records", "records inside", 1)]
    [InlineData("data A versions 0|  X []records", "not supported", 2)]
    [InlineData("data A versions 0|  X int32 surprise", "not expected", 2)]
    [InlineData("data A versions 0|  X B|    Y int32|  Z B", "declare it once", 4)]
    [InlineData("data A versions 0|  Write int32", "of its own", 2)]
    public void A_wrong_schema_is_refused_at_its_line(string schema, string message, int line)
    {
        var error = Assert.Throws<SchemaException>(() => SchemaParser.Parse(["namespace N", .. schema.Split('|')]));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(line, error.Line);
    }

    [Fact]
    public void A_schema_needs_a_namespace() =>
        Assert.Contains("namespace", Assert.Throws<SchemaException>(() => SchemaParser.Parse(["data A versions 0", "  X int32"])).Message, StringComparison.Ordinal);

    [Fact]
    public void A_schema_is_read()
    {
        Schema schema = SchemaParser.Parse(
        [
            "namespace N", "", "# What it is", "# for.", "data A type 7 versions 1-3 flexible 2+", "  struct S 2+", "    X int32 = -1",
            "  One S 2+ tag 4", "  Many []S?3+ 2+ = null ignorable", "  Text string 1-2 = \"a b\"",
        ]);
        Message a = Assert.Single(schema.Messages);
        Assert.Equal(("A", (short)7, 2, "What it is for."), (a.Name, a.ApiKey, a.FlexibleSince, a.Root.Comment));
        Assert.Equal(["One", "Many", "Text"], a.Root.Fields.Select(f => f.Name));
        Field many = a.Root.Fields[1];
        Assert.True(many is { IsArray: true, Ignorable: true, DefaultsToNull: true, Type: "S" });
        Assert.Equal(3, many.NullableVersions.Low);
        Assert.Same(a.Root.Fields[0].Struct, many.Struct);
        Assert.Equal("\"a b\"", a.Root.Fields[2].Default);
    }
}
