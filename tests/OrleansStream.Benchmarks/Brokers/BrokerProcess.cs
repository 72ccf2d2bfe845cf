using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using OrleansStream.Benchmarks.Client;
using OrleansStream.Protocol.Messages;

namespace OrleansStream.Benchmarks.Brokers;

/// <summary>A broker that runs as a process of its own on 127.0.0.1, one at a time.</summary>
internal abstract class BrokerProcess(string folder) : IDisposable
{
    private readonly int _port = FreePort();
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(90);
    private Process? _process;

    /// <summary>The column of the report.</summary>
    public abstract string Name { get; }
    public string Folder => folder;
    public BrokerClient Client => new("127.0.0.1", _port);
    public string Address => $"127.0.0.1:{_port}";

    /// <summary>Starts the process and returns the seconds to its first answer to Metadata that names a broker.</summary>
    public double Start()
    {
        Directory.CreateDirectory(folder);
        ProcessStartInfo start = Command(_port);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        long before = Stopwatch.GetTimestamp();
        _process = Process.Start(start)!;
        var output = new List<string>();
        _process.OutputDataReceived += (_, line) => Keep(output, line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(output, line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        while (!Answers())
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(before) > StartPatience)
                throw new InvalidOperationException($"{Name} did not start: {string.Join('\n', output.TakeLast(20))}");
            Thread.Sleep(3);
        }
        return Stopwatch.GetElapsedTime(before).TotalSeconds;
    }

    /// <summary>Ends it with SIGTERM and waits; after a minute and a half with SIGKILL, and says so.</summary>
    public void Stop()
    {
        if (_process is null)
            return;
        int pid = ServerPid(_process);
        Native.Signal(pid, Native.SigTerm);
        if (!_process.WaitForExit(StopPatience))
        {
            Console.Error.WriteLine($"{Name} did not end within {StopPatience}; killed.");
            Native.Signal(pid, Native.SigKill);
            _process.WaitForExit();
        }
        _process.Dispose();
        _process = null;
    }

    /// <summary>Ends it, if it runs, and deletes its data.</summary>
    public void Dispose()
    {
        Stop();
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    /// <summary>Resident memory now, in bytes.</summary>
    public long ResidentBytes() => Status("VmRSS:") * 1024;

    /// <summary>The highest that it has been, in bytes.</summary>
    public long PeakResidentBytes() => Status("VmHWM:") * 1024;

    /// <summary>Seconds of processor time that it has used.</summary>
    public double CpuSeconds()
    {
        using Process server = Process.GetProcessById(ServerPid(_process!));
        return server.TotalProcessorTime.TotalSeconds;
    }

    protected abstract ProcessStartInfo Command(int port);

    /// <summary>The process that serves, where what was started is a script around it.</summary>
    protected abstract int ServerPid(Process started);

    /// <summary>A port that is free now, and so is the one 20,000 above it, which Kafka's script gives to the controller.</summary>
    private static int FreePort()
    {
        while (true)
        {
            int port = Random.Shared.Next(20_000, 40_000);
            try
            {
                using var first = new TcpListener(IPAddress.Loopback, port);
                using var second = new TcpListener(IPAddress.Loopback, port + 20_000);
                first.Start();
                second.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: try another.
            }
        }
    }

    private long Status(string field)
    {
        string line = File.ReadLines($"/proc/{ServerPid(_process!)}/status").First(l => l.StartsWith(field, StringComparison.Ordinal));
        return long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    private bool Answers()
    {
        try
        {
            using BrokerConnection connection = Client.Connect(receiveTimeoutMs: 2000);
            var answer = connection.Call<MetadataRequest, MetadataResponse>(new MetadataRequest { Topics = [] }, 12);
            return answer.Brokers.Count > 0;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return false;
        }
    }

    private static void Keep(List<string> output, string? line)
    {
        lock (output)
            if (line is not null && output.Count < 1000)
                output.Add(line);
    }
}
