using System.Net.Sockets;

namespace OrleansStream.EndToEnd.Brokers;

/// <summary>Azure Blob Storage for a test: Azurite from npm, on a free port, its data in a folder of its own.</summary>
internal sealed class Azurite : IAsyncDisposable
{
    // The account and key that every Azurite has, published in its documentation.
    private const string Account = "devstoreaccount1";
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    private readonly string _folder = Directory.CreateTempSubdirectory("ostream-azurite-").FullName;
    private readonly int _port = Ports.Free();

    private Azurite() => Process = Launch();

    public ChildProcess Process { get; private set; }

    public static string Program => Path.Combine(Repository.Cache, "azurite", "node_modules", "azurite", "dist", "src", "blob", "main.js");

    /// <summary>The connection string of the account.</summary>
    public string ConnectionString =>
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};BlobEndpoint=http://127.0.0.1:{_port}/{Account};";

    public static async Task<Azurite> StartAsync()
    {
        if (!File.Exists(Program)) Missing.Tool("azurite", Program);
        var azurite = new Azurite();
        await azurite.AnswersAsync();
        return azurite;
    }

    /// <summary>Starts it again on the same data once the process, which was told to end, has ended.</summary>
    public async Task StartAgainAsync()
    {
        // Told a second time it would end at once, and forget what it acknowledged in its last seconds, the container itself among it.
        if (!await Process.EndsWithinAsync(TimeSpan.FromSeconds(60))) throw new TimeoutException("Azurite does not end:\n" + Process.Printed);
        await Process.DisposeAsync();
        Process = Launch();
        await AnswersAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private ChildProcess Launch() => ChildProcess.Start(
        ["node", Program, "--location", _folder, "--blobHost", "127.0.0.1", "--blobPort", _port.ToString(), "--silent", "--skipApiVersionCheck", "--disableTelemetry"]);

    private async Task AnswersAsync()
    {
        for (var tries = 0; ; tries++)
        {
            if (Process.HasEnded || tries == 600) throw new InvalidOperationException("Azurite does not answer:\n" + Process.Printed);
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", _port);
                return;
            }
            catch (SocketException) { await Task.Delay(50); }
        }
    }
}
