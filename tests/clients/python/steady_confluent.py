"""confluent-kafka for Python, at work while a cluster is in trouble.

    BOOTSTRAP TOPIC    produces idempotently until a line or the end comes on standard input, while another consumer follows by assignment; prints a line
                       {"sent", "failed": [reasons], "acked": [[partition, offset, number]], "p50", "p99", "max" (milliseconds), "read": {partition: [numbers]}}
"""
import json
import sys
import threading
import time

import confluent_kafka as ck

bootstrap, topic = sys.argv[1:3]
common = {'bootstrap.servers': bootstrap, 'broker.address.family': 'v4', 'allow.auto.create.topics': False}
stop = threading.Event()
produced = threading.Event()
ends = {}


def wait_for_end():
    sys.stdin.readline()
    stop.set()


read = {}


def follow():
    consumer = ck.Consumer(common | {'group.id': 'never-joined', 'enable.auto.commit': False, 'auto.offset.reset': 'earliest'})
    partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
    consumer.assign([ck.TopicPartition(topic, p, 0) for p in partitions])
    read.update({p: [] for p in partitions})
    last = {p: -1 for p in partitions}
    give_up = None
    while True:
        if produced.is_set():
            give_up = give_up or time.monotonic() + 60
            if all(last[p] >= ends.get(p, -1) for p in partitions) or time.monotonic() > give_up:
                break
        for message in consumer.consume(500, 0.2):
            if message.error():
                continue
            read[message.partition()].append(int(message.value()))
            last[message.partition()] = message.offset()
    consumer.close()


threading.Thread(target=wait_for_end, daemon=True).start()
follower = threading.Thread(target=follow)
follower.start()
producer = ck.Producer(common | {'enable.idempotence': True, 'linger.ms': 2, 'delivery.timeout.ms': 120000})
acked, failed, latencies = [], [], []


def report(number, begun):
    def done(error, message):
        latencies.append((time.monotonic() - begun) * 1000)
        if error:
            failed.append(str(error))
        else:
            acked.append([message.partition(), message.offset(), number])
            ends[message.partition()] = max(ends.get(message.partition(), -1), message.offset())
    return done


sent = 0
while not stop.is_set():
    producer.produce(topic, key=b'%d' % (sent % 97), value=b'%d' % sent, on_delivery=report(sent, time.monotonic()))
    sent += 1
    producer.poll(0.003)
producer.flush(130)
produced.set()
follower.join()
latencies.sort()
at = lambda part: round(latencies[int(len(latencies) * part)], 1) if latencies else None
print(json.dumps({'sent': sent, 'failed': failed, 'acked': acked, 'p50': at(.5), 'p99': at(.99), 'max': round(latencies[-1], 1) if latencies else None, 'read': read}))
