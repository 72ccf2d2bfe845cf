"""confluent-kafka for Python, at work without rest: the contract is in steady.py. It also tells of each record how long its acknowledgement took."""
import sys
import time

import confluent_kafka as ck
from steady import PAUSE_S, record, say, until_terminated

stopped = until_terminated()
what, bootstrap, topic, partitions = sys.argv[1:5]
common = {'bootstrap.servers': bootstrap, 'broker.address.family': 'v4', 'allow.auto.create.topics': False}


def produce(producer_id):
    producer = ck.Producer(common | {'enable.idempotence': True, 'linger.ms': 2, 'delivery.timeout.ms': 120000})
    acked = 0

    def report(key, value, begun):
        def done(error, message):
            nonlocal acked
            if error:
                say('producer_send_error', message=str(error))
                return
            acked += 1
            offset = message.offset()
            say('producer_send_success', partition=message.partition(), offset=-1 if offset is None else offset, key=key, value=value,
                latency_ms=round((time.monotonic() - begun) * 1000, 1))
        return done

    sent = 0
    while not stopped():
        key, value = record(producer_id, sent)
        producer.produce(topic, key=key, value=value, on_delivery=report(key, value, time.monotonic()))
        sent += 1
        producer.poll(PAUSE_S)
    producer.flush(130)
    say('tool_data', sent=sent, acked=acked)


def consume():
    consumer = ck.Consumer(common | {'group.id': 'never-joined', 'enable.auto.commit': False, 'auto.offset.reset': 'error'})
    consumer.assign([ck.TopicPartition(topic, p, 0) for p in range(int(partitions))])
    while not stopped():
        for message in consumer.consume(500, 0.2):
            if message.error():
                # what it goes on after by itself is not told here
                raise SystemExit(str(message.error()))
            say('record_data', partition=message.partition(), offset=message.offset(), key=message.key().decode(), value=message.value().decode())
    consumer.close()


produce(int(sys.argv[5])) if what == 'produce' else consume()
