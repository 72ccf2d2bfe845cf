namespace OrleansStream.Storage.Segments;

/// <summary>
/// Remembers where readers stopped, so that one who goes on from there is known for sequential and gets a window that doubles. Bounded: the
/// oldest memory goes first, and costs its reader no more than a new start. Guarded by the cache's lock.
/// </summary>
internal sealed class ReadAhead(int firstBytes, int maxBytes)
{
    private const int MaxReaders = 4096;

    private readonly Dictionary<(string Name, long Position), int> _windows = [];
    private readonly Queue<(string Name, long Position)> _order = new();

    /// <summary>A read of an object went from <paramref name="from"/> to <paramref name="to"/>: how many bytes beyond it to have ready.</summary>
    /// <param name="atStart">The read began where the run begins: whoever does that mostly goes on.</param>
    public int Advance(string name, long from, long to, bool atStart)
    {
        var window = _windows.Remove((name, from), out var last) ? Math.Min(Math.Max(last * 2, firstBytes), maxBytes) : atStart ? firstBytes : 0;
        Remember((name, to), window);
        return window;
    }

    /// <summary>A reader with this window will come to a place where another object, or another run, goes on.</summary>
    public void Expect(string name, long position, int window) => Remember((name, position), window);

    private void Remember((string Name, long Position) place, int window)
    {
        if (_windows.TryGetValue(place, out var other))
        {
            _windows[place] = Math.Max(window, other);
            return;
        }
        while (_order.Count >= MaxReaders)
            _windows.Remove(_order.Dequeue());
        _order.Enqueue(place);
        _windows.Add(place, window);
    }
}
