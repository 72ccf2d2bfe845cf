using Microsoft.Extensions.Logging;
using OrleansStream.Storage.Ports;

namespace OrleansStream.Storage.Journals.Disk;

/// <summary>
/// Follows the chain of a dead journal through its files. It ends at the first block that does not continue it:
/// <list type="table">
/// <item><term>nothing valid behind it</term><description>the commit that was in flight at the crash, torn or lost: the journal's end</description></item>
/// <item><term>a valid block of this journal with a higher number behind it</term><description>corruption: what was durable is damaged</description></item>
/// <item><term>a valid block with a lower number</term><description>left over in a recycled file</description></item>
/// <item><term>a fence file names a block that the chain does not reach</term><description>corruption</description></item>
/// <item><term>the chain begins above the lowest number that its last block still counts as kept</term><description>corruption: a file is missing</description></item>
/// </list>
/// </summary>
internal sealed class DiskReplay(IJournalFolder folder, RuntimePorts ports, DiskJournalOptions options, Guid journalId, IJournalReplay replay)
{
    private readonly ILogger _log = ports.Logs.CreateLogger<DiskReplay>();
    private long _firstNumber = -1;
    private long _expected;
    private uint _checksum;
    private long _lowestKept;
    private long _end = long.MaxValue;
    private bool _fenced;
    private string? _where;
    private (string File, long Position, BlockHeader Header) _last;

    /// <param name="lastDurable">Where this process knows that the journal ended, when it wrote it itself.</param>
    public async ValueTask RunAsync(long? lastDurable, CancellationToken cancel)
    {
        var files = (await JournalFiles.ScanAsync(folder, _log, cancel)).Where(f => f.First.Incarnation == journalId).Select(f => f.Name).ToList();
        if (files.Count == 0)
        {
            Damaged($"no file holds journal {journalId:N}");
            return;
        }

        if (await JournalFiles.ReadFenceAsync(folder, journalId, cancel) is { } fence)
        {
            _fenced = true;
            _end = fence.Number;
        }
        else if (lastDurable is { } number)
        {
            _end = number;
        }

        var following = true;
        foreach (var name in files)
        {
            await using var file = await folder.OpenAsync(name, null, cancel);
            var reader = new BlockReader(file, ports.Scheduler);
            try
            {
                following = await FollowAsync(name, reader, following, cancel);
            }
            finally
            {
                await reader.StopAsync();
            }
        }

        if (_firstNumber < 0)
        {
            Damaged($"journal {journalId:N} has no valid block in '{files[0]}'");
            return;
        }

        if (_firstNumber > _lowestKept)
        {
            Damaged($"journal {journalId:N} begins with block {_firstNumber} in '{files[0]}', but blocks from {_lowestKept} on should be there");
        }

        if (_end != long.MaxValue && _expected <= _end)
        {
            Damaged($"journal {journalId:N} ends {_where ?? "with its last file"}, before block {_end} that was durable");
        }

        await SettleAsync(lastDurable, cancel);
    }

    /// <summary>Reads one file; answers whether the chain may go on in the next.</summary>
    private async ValueTask<bool> FollowAsync(string name, BlockReader reader, bool following, CancellationToken cancel)
    {
        long position = 0;
        while (following && position < reader.Length && _expected <= _end)
        {
            cancel.ThrowIfCancellationRequested();
            if (await reader.HeaderAsync(position) is not { } header || header.Incarnation != journalId || !Continues(header))
            {
                break;
            }

            var block = await reader.BlockAsync(position, header);
            if (!header.Vouches(block.Span))
            {
                break;
            }

            if (!EntryCodec.TryReplay(block.Span.Slice(BlockHeader.Size, (int)header.EntriesLength), header.EntryCount, replay))
            {
                throw new JournalCorruptException($"'{name}' at {position}: the entries of block {header.Number} contradict its header");
            }

            if (_firstNumber < 0)
            {
                _firstNumber = header.Number;
            }

            _expected = header.Number + 1;
            _checksum = header.Checksum;
            _lowestKept = header.LowestKept;
            _last = (name, position, header);
            position += BlockReader.PaddedLength(header);
        }

        if (_expected > _end)
        {
            return false;
        }

        if (following && (position > 0 || _where is null))
        {
            _where = position < reader.Length ? $"in '{name}' at {position}" : null;
        }

        // The chain can only go on in the next file if all that is left here is no later block of this journal.
        for (; position < reader.Length; position += DiskJournal.Alignment)
        {
            cancel.ThrowIfCancellationRequested();
            if (await reader.HeaderAsync(position) is { } later && later.Incarnation == journalId && later.Number >= _expected && _firstNumber >= 0
                && later.Vouches((await reader.BlockAsync(position, later)).Span))
            {
                Damaged($"journal {journalId:N} ends {_where}, but block {later.Number} stands in '{name}' at {position}: block {_expected} is damaged");
                return false;
            }
        }

        return true;
    }

    private bool Continues(BlockHeader header) =>
        _firstNumber < 0 || (header.Number == _expected && header.PreviousChecksum == _checksum);

    /// <summary>
    /// Makes this end the journal's end for ever. After a kill, the last block may be in the page cache only: before anyone relies on it, it is written again
    /// and synced. Then a fence file holds the number, so that a later replay cannot see more or less.
    /// </summary>
    private async ValueTask SettleAsync(long? lastDurable, CancellationToken cancel)
    {
        if (_fenced)
        {
            return;
        }

        if (lastDurable is null)
        {
            await using var file = await folder.OpenAsync(_last.File, null, cancel);
            var length = BlockReader.PaddedLength(_last.Header);
            var bytes = GC.AllocateUninitializedArray<byte>((int)length);
            if (await file.ReadAsync(_last.Position, bytes, cancel) != length || !_last.Header.Vouches(bytes))
            {
                throw new JournalCorruptException($"'{_last.File}' at {_last.Position}: block {_last.Header.Number} changed between two reads");
            }

            await file.WriteAsync(_last.Position, [bytes], cancel);
        }

        await JournalFiles.WriteFenceAsync(folder, journalId, _last.Header.Number, _lowestKept, ports.NowMilliseconds, cancel);
    }

    private void Damaged(string what)
    {
        if (!options.AcceptLoss)
        {
            throw new JournalCorruptException(what + ". Nothing was changed. To start without what is lost, say so explicitly (accept loss)");
        }

        _log.LogError("Accepted loss: {What}", what);
    }
}
