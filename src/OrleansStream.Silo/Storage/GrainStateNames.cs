using System.Globalization;
using System.Text;
using Orleans.Runtime;

namespace OrleansStream.Silo.Storage;

/// <summary>Names of the objects that keep users' grain states.</summary>
internal static class GrainStateNames
{
    /// <summary>
    /// <c>grains/STATE/TYPE/KEY</c>. What an object's name cannot have stands as an underscore and the two hexadecimal digits of each byte, so that no two keys
    /// share a name, also where a file system does not tell upper case from lower.
    /// </summary>
    public static string Of(string stateName, GrainId grain) => $"grains/{Escape(stateName)}/{Escape(grain.Type.ToString()!)}/{Escape(grain.Key.ToString()!)}";

    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            if (b is >= (byte)'a' and <= (byte)'z' or >= (byte)'0' and <= (byte)'9' or (byte)'-')
                escaped.Append((char)b);
            else
                escaped.Append(CultureInfo.InvariantCulture, $"_{b:x2}");
        }
        // A part of a name that is empty is none.
        return escaped.Length == 0 ? "_" : escaped.ToString();
    }
}
