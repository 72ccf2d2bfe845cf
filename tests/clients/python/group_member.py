"""A member of a group that processes records until SIGTERM: group_member.py BOOTSTRAP TOPIC GROUP PROTOCOL WORK

Prints {"heeds": "SIGTERM"} when the signal would not end it at once any more, {"assigned": [...]}, {"revoked": [...]} or {"lost": [...]} as its partitions come and go, and
{"read": [[partition, offset], ...]} for what it has processed, which takes it WORK seconds, before it commits that. What cannot be committed, because the group has gone on without this
member, is printed as {"refused": reason}: somebody else reads it again. An error after which the client does nothing any more ends it.
"""
import signal
import sys
import time
import confluent_kafka as ck
from contract import say

bootstrap, topic, group, protocol, work = sys.argv[1:]
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
say({'heeds': 'SIGTERM'})
more = {'group.protocol': 'consumer'} if protocol == 'consumer' else {'session.timeout.ms': 4000, 'heartbeat.interval.ms': 500}
consumer = ck.Consumer(more | {
    'bootstrap.servers': bootstrap, 'group.id': group, 'broker.address.family': 'v4', 'enable.auto.commit': False, 'auto.offset.reset': 'earliest',
    'fetch.wait.max.ms': 50, 'enable.auto.offset.store': False})


def changed(what):
    return lambda _, partitions: say({what: sorted(p.partition for p in partitions)})


def usable(messages):
    for m in messages:
        if m.error() is None:
            yield m
        elif m.error().fatal():
            raise ck.KafkaException(m.error())


consumer.subscribe([topic], on_assign=changed('assigned'), on_revoke=changed('revoked'), on_lost=changed('lost'))
while not stop:
    records = list(usable(consumer.consume(200, timeout=0.1)))
    if not records:
        continue
    say({'read': [[m.partition(), m.offset()] for m in records]})
    ends = {}
    for m in records:
        ends[m.partition()] = m.offset() + 1
    time.sleep(float(work))
    try:
        # Refused in part, it is no exception.
        for committed in consumer.commit(offsets=[ck.TopicPartition(topic, p, end) for p, end in ends.items()], asynchronous=False):
            if committed.error:
                say({'refused': committed.error.name()})
    except ck.KafkaException as refused:
        say({'refused': refused.args[0].name()})
consumer.close()
