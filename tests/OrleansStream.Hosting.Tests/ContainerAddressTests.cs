using OrleansStream.Broker.Configuration;
using OrleansStream.Hosting.Data;

namespace OrleansStream.Hosting.Tests;

public sealed class ContainerAddressTests
{
    [Theory]
    [InlineData("https://acc.blob.core.windows.net", "https://acc.blob.core.windows.net", "ostream")]
    [InlineData("https://acc.blob.core.windows.net/mine", "https://acc.blob.core.windows.net", "mine")]
    [InlineData("https://acc.blob.core.windows.net/mine?sv=1&sig=x", "https://acc.blob.core.windows.net?sv=1&sig=x", "mine")]
    [InlineData("http://127.0.0.1:10000/devstoreaccount1/mine", "http://127.0.0.1:10000/devstoreaccount1", "mine")]
    [InlineData("http://localhost:10000/devstoreaccount1", "http://localhost:10000/devstoreaccount1", "ostream")]
    public void A_url_is_an_account_and_perhaps_a_container(string url, string account, string container)
    {
        ContainerAddress? address = ContainerAddress.From(Settings("storage.url", url));
        Assert.Equal((account, container), (address?.Connection, address?.Container));
    }

    [Fact]
    public void A_connection_string_stays_as_it_is() =>
        Assert.Equal("UseDevelopmentStorage=true", ContainerAddress.From(Settings("storage.connection.string", "UseDevelopmentStorage=true"))?.Connection);

    [Fact]
    public void Without_either_there_is_none() => Assert.Null(ContainerAddress.From(Settings("num.partitions", "1")));

    private static BrokerSettings Settings(string name, string value) => BrokerSettingsParser.Parse([new(name, value)]).Settings;
}
