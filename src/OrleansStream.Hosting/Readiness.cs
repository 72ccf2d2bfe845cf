namespace OrleansStream.Hosting;

/// <summary>Whether clients are served, in words.</summary>
internal sealed class Readiness
{
    public const string Starting = "starting";
    public const string Ready = "ready";
    public const string Stopping = "stopping";

    public string State { get; set; } = Starting;

    public bool IsReady => State == Ready;
}
