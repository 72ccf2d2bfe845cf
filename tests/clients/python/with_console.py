"""Kafka's own kafka-console-producer and kafka-console-consumer (KAFKA_PEERS/kafka). Text only: they read and print lines."""
import os
import subprocess
import tempfile
from contract import PATIENCE_S, Digests, Output, bulk_records, main, say, unpack

KAFKA = os.path.join(os.environ['KAFKA_PEERS'], 'kafka', 'kafka')
NULL = '<null>'


def tool(name, *arguments, data=None):
    done = subprocess.run([KAFKA, name, *arguments], input=data, capture_output=True, timeout=PATIENCE_S)
    if done.returncode or b'ERROR' in done.stderr or b'Exception' in done.stderr:
        raise SystemExit(done.stderr.decode())
    return done.stdout


def produce(bootstrap, spec):
    base = ['console-producer', '--bootstrap-server', bootstrap, '--topic', spec['topic'], '--compression-codec', spec['codec'],
            '--command-property', 'max.request.size=16000000', '--command-property', 'acks=all']
    if 'bulk' in spec:
        digests, lines = Digests(), []
        for partition, value in bulk_records(spec['bulk'], Digests()):
            lines.append(value.hex().encode())
            digests.add(partition, lines[-1])
        # Its batches of 16 KB hold less than one of these records, and a store in the cloud answers each after many milliseconds.
        tool(*base, '--command-property', 'batch.size=1000000', '--command-property', 'linger.ms=20', data=b'\n'.join(lines) + b'\n')
        digests.say()
        return
    text = lambda data: NULL if data is None else unpack(data).decode()
    lines = []
    for r in spec['records']:
        headers = ','.join(f'{name}:{text(data)}' for name, data in r['headers'])
        lines.append(f"{headers or NULL}\t{text(r['key'])}\t{text(r['value'])}\n")
    tool(*base, *[word for pair in ('parse.headers=true', 'parse.key=true', 'null.marker=' + NULL) for word in ('--reader-property', pair)],
         data=''.join(lines).encode())


def take(output, line):
    timestamp, place, offset, headers, key, value = line.decode(errors='replace').split('\t')
    read = lambda text: None if text == NULL else text.encode()
    pairs = [] if headers == 'NO_HEADERS' else [(h.split(':', 1)[0], read(h.split(':', 1)[1])) for h in headers.split(',')]
    output.take(int(place.split(':')[1]), int(offset.split(':')[1]), int(timestamp.split(':')[1]), read(key), read(value), pairs)


def consume(bootstrap, spec):
    output = Output(spec)
    base = ['console-consumer', '--bootstrap-server', bootstrap, '--topic', spec['topic'], '--command-property', 'max.partition.fetch.bytes=12000000',
            '--command-property', 'fetch.max.wait.ms=100', '--command-property', 'auto.offset.reset=earliest']
    if not output.bulk:
        for pair in ('print.key=true', 'print.headers=true', 'print.timestamp=true', 'print.offset=true', 'print.partition=true', 'null.literal=' + NULL):
            base += ['--formatter-property', pair]
    if 'group' in spec:
        say({'ready': True})
        # it commits where it is when it ends, by its count
        for line in tool(*base, '--group', spec['group'], '--command-property', 'group.protocol=' + spec['protocol'],
                         '--max-messages', str(spec['count']), '--timeout-ms', '60000').split(b'\n')[:-1]:
            take(output, line)
        if output.left:
            raise SystemExit(f'{output.left} records are missing')
        return
    starts = {'beginning': 'earliest', 'offset': str(spec.get('at'))}
    say({'ready': True})
    for partition in spec['partitions']:
        # by assignment, a partition at a time, to its end as it is now
        count = spec['ends'][str(partition)] - (spec['at'] if spec['from'] == 'offset' else 0)
        if count <= 0:
            continue
        lines = tool(*base, '--partition', str(partition), '--offset', starts[spec['from']], '--max-messages', str(count), '--timeout-ms', '60000')
        for line in lines.split(b'\n')[:-1]:
            if output.bulk:
                output.take(partition, None, None, None, line, [])
                continue
            take(output, line)
    if output.left:
        raise SystemExit(f'{output.left} records are missing')
    output.end()


main(produce, consume)
