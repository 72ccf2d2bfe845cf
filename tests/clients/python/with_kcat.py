"""kcat, driven as a person would: records on its standard input, JSON on its output. Text only, since its JSON is."""
import json
import os
import subprocess
import tempfile
from contract import PATIENCE_S, Digests, Output, bulk_records, main, say, unpack

COMMON = ['-X', 'broker.address.family=v4', '-X', 'message.max.bytes=16000000', '-X', 'enable.idempotence=true']


def run(arguments, data=b''):
    done = subprocess.run(['kcat', *arguments], input=data, capture_output=True, timeout=PATIENCE_S)
    if done.returncode or b'ERROR' in done.stderr:
        raise SystemExit(done.stderr.decode())


def grouped(records):
    """Records that one run of kcat can send, in their order: (first, others of the same partition and headers, small and with keys)."""
    simple = lambda r: r['key'] and r['value'] is not None and len(r['value']) < 100_000
    groups = []
    for record in records:
        if groups and simple(record) and simple(groups[-1][0]) and all(record[f] == groups[-1][0][f] for f in ('partition', 'headers')):
            groups[-1][1].append(record)
        else:
            groups.append((record, []))
    return groups


def produce(bootstrap, spec):
    base = ['-P', '-b', bootstrap, '-t', spec['topic'], '-z', spec['codec'], *COMMON]
    if 'bulk' in spec:
        digests, partitions = Digests(), {}
        for partition, value in bulk_records(spec['bulk'], digests):
            partitions.setdefault(partition, []).append(value.hex().encode())
        digests = Digests()
        for partition, values in partitions.items():
            for value in values:
                digests.add(partition, value)
            run([*base, '-p', str(partition)], b'\n'.join(values) + b'\n')
        digests.say()
        return
    for record, more in grouped(spec['records']):
        arguments = list(base)
        if record['partition'] is not None:
            arguments += ['-p', str(record['partition'])]
        for name, data in record['headers']:
            # a header without '=' has a null value
            arguments += ['-H', name if data is None else name + '=' + unpack(data).decode()]
        value, key = unpack(record['value']), unpack(record['key'])
        if value is None:
            # -Z: what is empty is sent as null
            run([*arguments, '-Z', '-K', '\t'], (key or b'') + b'\t\n')
        elif len(value) > 100_000:
            with tempfile.NamedTemporaryFile() as file:
                file.write(value)
                file.flush()
                if key is not None:
                    arguments += ['-k', key.decode()]
                run([*arguments, file.name])
        elif key is not None:
            run([*arguments, '-K', '\t'], b''.join(unpack(r['key']) + b'\t' + unpack(r['value']) + b'\n' for r in [record, *more]))
        else:
            run(arguments, value + b'\n')


def take(output, line):
    m = json.loads(line.decode(errors='replace'))
    headers = m.get('headers') or []
    encode = lambda text: None if text is None else text.encode()
    output.take(m['partition'], m['offset'], m['ts'], encode(m['key']), encode(m['payload']),
                [(headers[i], encode(headers[i + 1])) for i in range(0, len(headers), 2)])


def consume_in_group(bootstrap, spec):
    output = Output(spec)
    say({'ready': True})
    # it commits what it has printed when it ends, by its count
    process = subprocess.Popen(
        ['kcat', '-b', bootstrap, '-J', '-u', '-c', str(spec['count']), '-X', 'broker.address.family=v4', '-X', 'auto.offset.reset=earliest',
         '-X', 'fetch.message.max.bytes=20000000', '-X', 'receive.message.max.bytes=200000000', '-X', 'fetch.wait.max.ms=100',
         '-G', spec['group'], spec['topic']], stdout=subprocess.PIPE)
    for line in process.stdout:
        take(output, line)
    if process.wait() or output.left:
        raise SystemExit(f'kcat ended with {process.returncode}; {output.left} records are missing')
    output.end()


def consume(bootstrap, spec):
    if 'group' in spec:
        return consume_in_group(bootstrap, spec)
    start = {'beginning': 'beginning', 'end': 'end', 'offset': str(spec.get('at')), 'timestamp': 's@' + str(spec.get('at'))}[spec['from']]
    output = Output(spec)
    # kcat reads one partition by -p, or all
    command = ['kcat', '-C', '-b', bootstrap, '-t', spec['topic'], '-o', start, '-c', str(spec['count']), '-J', '-u', '-X', 'broker.address.family=v4',
               '-X', 'fetch.message.max.bytes=20000000', '-X', 'receive.message.max.bytes=200000000', '-X', 'fetch.wait.max.ms=100']
    if len(spec['partitions']) == 1:
        command += ['-p', str(spec['partitions'][0])]
    if start == 'end':
        # its debug log is the only sign that it knows where the end is
        command += ['-d', 'topic,fetch']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE if start == 'end' else None)
    if start == 'end':
        positioned = set()
        for line in process.stderr:
            if b'start fetching at offset' in line:
                positioned.add(line.split(b'[')[-1].split(b']')[0] + line.split(b'Partition')[-1].split(b' start')[0])
                if len(positioned) == len(spec['partitions']):
                    break
        os.set_blocking(process.stderr.fileno(), False)
    say({'ready': True})
    for line in process.stdout:
        take(output, line)
        if start == 'end':
            process.stderr.read()
        if not output.wanted():
            break
    process.terminate()
    process.wait()
    if output.left:
        raise SystemExit(f'{output.left} records are missing')
    output.end()


main(produce, consume)
