"""What every client program of these tests reads and prints.

    produce BOOTSTRAP SPEC   {"topic", "codec", "records": [{"partition", "key", "value", "headers": [[name, value]], "timestamp"}]}
                             prints a line {"partition", "offset"} a record, in their order, where the client learns it
                             or {"topic", "codec", "bulk": {"count", "size", "partitions"}}: prints {"digests": {partition: sha256}}
    consume BOOTSTRAP SPEC   {"topic", "partitions", "from": "beginning" | "end" | "offset" | "timestamp", "at", "count", "bulk",
                              "ends": {partition: offset}}, where they end now, for a client that reads up to there
                             prints {"ready": true} once it is positioned, then a line a record as above with "offset", or with "bulk" the digests
                             or {"topic", "group", "protocol": "classic" | "consumer", "count"}: reads as a member of that group, from the beginning where
                             nothing was committed; commits what it read, and leaves

Keys, values and header values are base64 or null; timestamps are milliseconds or null. Without "group", reading is by assignment.
The exit code is 0 when everything was acknowledged, or `count` records were read.
"""
import base64
import hashlib
import json
import os
import sys
import time

PATIENCE_S = int(os.environ.get('OSTREAM_PATIENCE_S', '60'))


def unpack(text):
    return None if text is None else base64.b64decode(text)


def pack(data):
    return None if data is None else base64.b64encode(data).decode()


def say(line):
    sys.stdout.write(json.dumps(line) + '\n')
    sys.stdout.flush()


class Digests:
    """One running SHA-256 per partition, over the values in order."""

    def __init__(self):
        self.all = {}

    def add(self, partition, value):
        self.all.setdefault(partition, hashlib.sha256()).update(value)

    def say(self):
        say({'digests': {str(partition): digest.hexdigest() for partition, digest in sorted(self.all.items())}})


def bulk_records(bulk, digests):
    """(partition, value) of a bulk run, digested as they go out. Half of each value is noise, so that codecs have something to do."""
    size = bulk['size']
    noise = os.urandom(1 << 20)
    for i in range(bulk['count']):
        partition = i % bulk['partitions']
        start = (i * 7919) % (len(noise) - size)
        value = i.to_bytes(8, 'big') + noise[start:start + (size - 8) // 2]
        value += b'.' * (size - len(value))
        digests.add(partition, value)
        yield partition, value


class Output:
    """Prints what a consumer read, and says when there is enough."""

    def __init__(self, spec):
        self.bulk = spec.get('bulk', False)
        self.left = spec['count']
        self.digests = Digests()
        self.deadline = time.monotonic() + PATIENCE_S

    def take(self, partition, offset, timestamp, key, value, headers):
        if self.left == 0:
            raise SystemExit('more records than expected')
        self.left -= 1
        if self.bulk:
            self.digests.add(partition, value)
        else:
            say({'partition': partition, 'offset': offset, 'timestamp': timestamp, 'key': pack(key), 'value': pack(value),
                 'headers': [[name, pack(data)] for name, data in headers]})

    def wanted(self):
        if self.left and time.monotonic() > self.deadline:
            raise SystemExit(f'{self.left} records did not come within {PATIENCE_S} s')
        return self.left > 0

    def end(self):
        if self.bulk:
            self.digests.say()


def main(produce, consume):
    command, bootstrap, spec = sys.argv[1:]
    with open(spec) as file:
        spec = json.load(file)
    {'produce': produce, 'consume': consume}[command](bootstrap, spec)
