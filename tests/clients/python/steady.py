"""What a client prints that works without rest while a cluster is in trouble, until SIGTERM: lines as Apache Kafka's own verifiable tools print them.

    produce BOOTSTRAP TOPIC PARTITIONS PRODUCER   {"name": "producer_send_success", "partition", "offset", "key", "value"} a record that was acknowledged,
                                                  {"name": "producer_send_error", "message"} one that has failed for good, {"name": "tool_data", "sent", "acked"} at the end
    consume BOOTSTRAP TOPIC PARTITIONS            by assignment, from the beginning: {"name": "record_data", "partition", "offset", "key", "value"}

An offset of -1 is one that the client was not told.
"""
import hashlib
import json
import signal
import sys

KEYS = 97
PAUSE_S = 0.005


def record(producer, number):
    """Key and value of one producer's record: all of it follows from its number (SteadyRecords in the tests)."""
    name = f'{producer}.{number}'
    return str(number % KEYS), f'{name}.{hashlib.sha256(name.encode()).hexdigest() * 4}'


def say(name, **what):
    sys.stdout.write(json.dumps({'name': name} | what) + '\n')
    sys.stdout.flush()


def until_terminated():
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    return lambda: bool(stop)
