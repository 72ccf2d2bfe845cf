using System.Diagnostics;
using System.Globalization;
using OrleansStream.Platform.Files;
using OrleansStream.Platform.Journals;
using OrleansStream.Platform.Stores;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Platform.Tests;

/// <summary>The test assembly as a program of its own, for what only two processes can show.</summary>
internal static class SecondProcess
{
    public static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardInput = true, UseShellExecute = false };
        start.ArgumentList.Add("exec");
        start.ArgumentList.Add(typeof(SecondProcess).Assembly.Location);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    public static async Task<int> Main(string[] args)
    {
        switch (args[0])
        {
            case "increment":
                await IncrementAsync(args[1], int.Parse(args[2], CultureInfo.InvariantCulture));
                return 0;
            case "create":
                Console.WriteLine(await CreateAsync(args[1], int.Parse(args[2], CultureInfo.InvariantCulture), args[3]));
                return 0;
            case "lock":
                return Lock(args[1]);
            default:
                return 64;
        }
    }

    private static async Task IncrementAsync(string folder, int times)
    {
        using var store = new FolderObjectStore(folder);
        for (var done = 0; done < times;)
        {
            var read = (await store.ReadAsync("counter", default))!;
            var next = int.Parse(System.Text.Encoding.ASCII.GetString(read.Content.Span), CultureInfo.InvariantCulture) + 1;
            var bytes = System.Text.Encoding.ASCII.GetBytes(next.ToString(CultureInfo.InvariantCulture));
            var result = await store.ReplaceAsync("counter", new(bytes), read.ETag, default);
            done += result.Outcome == PutOutcome.Done ? 1 : 0;
        }
    }

    private static async Task<int> CreateAsync(string folder, int names, string mark)
    {
        using var store = new FolderObjectStore(folder);
        var won = 0;
        for (var i = 0; i < names; i++)
        {
            var result = await store.CreateAsync($"race/{i}", new(System.Text.Encoding.ASCII.GetBytes(mark)), default);
            won += result.Outcome == PutOutcome.Done ? 1 : 0;
        }
        return won;
    }

    private static int Lock(string folder)
    {
        try
        {
            using var locked = new JournalFolder(folder);
            Console.WriteLine("locked");
            Console.ReadLine();
            return 0;
        }
        catch (FolderInUseException error)
        {
            Console.WriteLine(error.Message);
            return 3;
        }
    }
}
