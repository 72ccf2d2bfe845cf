namespace OrleansStream.Broker.Groups.Consumer;

/// <summary>Counts the parts that a regular expression has once its repetitions are written out, while somebody reads it from left to right.</summary>
internal sealed class RegexSize
{
    private const long Ceiling = 1 << 30;

    private readonly Stack<(long Before, long Last)> _open = new();
    private long _before;
    private long _last;

    public long Total => _before + _last;

    /// <summary>A character, a class, or anything else that a repetition may follow.</summary>
    public void Atom() => Push(1);

    public void Open()
    {
        _open.Push((_before, _last));
        (_before, _last) = (0, 0);
    }

    public void Close()
    {
        var inner = Total;
        if (!_open.TryPop(out var outer))
            return;
        (_before, _last) = outer;
        Push(inner);
    }

    /// <summary>What was last comes that often.</summary>
    public void Repeat(int times) => _last = Math.Min(Ceiling, _last * times);

    private void Push(long size)
    {
        _before = Math.Min(Ceiling, _before + _last);
        _last = size;
    }
}
