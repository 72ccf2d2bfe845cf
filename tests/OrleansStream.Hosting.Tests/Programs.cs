namespace OrleansStream.Hosting.Tests;

internal static class Programs
{
    /// <summary>An executable with settings of its own.</summary>
    public static readonly ProgramDescription Some = new("ostream-some", "Some", "a broker for tests.")
    {
        Options =
        [
            new("some.port", "7", "A port of its own."),
            new("some.switch", null, "A switch of its own.") { IsSwitch = true },
        ],
    };
}
