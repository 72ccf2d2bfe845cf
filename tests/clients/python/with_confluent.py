"""confluent-kafka for Python: Debian's 1.7 on librdkafka 2.0, and the current one."""
import confluent_kafka as ck
from contract import Digests, Output, bulk_records, main, say, unpack

COMMON = {'broker.address.family': 'v4', 'allow.auto.create.topics': False}


def produce(bootstrap, spec):
    producer = ck.Producer(COMMON | {
        'bootstrap.servers': bootstrap, 'compression.codec': spec['codec'], 'message.max.bytes': 16_000_000, 'enable.idempotence': True,
        'queue.buffering.max.kbytes': 200_000, 'linger.ms': 5})
    failures, places = [], {}

    def delivered(index):
        def report(error, message):
            if error is not None:
                failures.append(f'record {index}: {error}')
            elif index is not None:
                places[index] = (message.partition(), message.offset())
        return report

    def send(index, **what):
        while True:
            try:
                producer.produce(spec['topic'], on_delivery=delivered(index), **what)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)

    if 'bulk' in spec:
        digests = Digests()
        for partition, value in bulk_records(spec['bulk'], digests):
            send(None, partition=partition, value=value)
    else:
        for index, record in enumerate(spec['records']):
            optional = {}
            if record['partition'] is not None:
                optional['partition'] = record['partition']
            if record['timestamp'] is not None:
                optional['timestamp'] = record['timestamp']
            if record['headers']:
                optional['headers'] = [(name, unpack(data)) for name, data in record['headers']]
            send(index, key=unpack(record['key']), value=unpack(record['value']), **optional)
    left = producer.flush(120)
    if failures or left:
        raise SystemExit(f'{left} unanswered; failed: {failures[:5]}')
    if 'bulk' in spec:
        digests.say()
    else:
        for index in range(len(spec['records'])):
            say({'partition': places[index][0], 'offset': places[index][1]})


def consume_in_group(bootstrap, spec):
    # librdkafka 2.0 has never heard of the choice
    protocol = {'group.protocol': 'consumer'} if spec['protocol'] == 'consumer' else {}
    consumer = ck.Consumer(COMMON | protocol | {
        'bootstrap.servers': bootstrap, 'group.id': spec['group'], 'enable.auto.commit': False, 'auto.offset.reset': 'earliest',
        'fetch.message.max.bytes': 20_000_000, 'fetch.wait.max.ms': 100, 'receive.message.max.bytes': 200_000_000, 'fetch.max.bytes': 100_000_000})
    consumer.subscribe([spec['topic']])
    say({'ready': True})
    output = Output(spec)
    while output.wanted():
        read(consumer, output)
    consumer.commit(asynchronous=False)
    output.end()
    consumer.close()


def read(consumer, output):
    for m in consumer.consume(min(1000, output.left), timeout=0.5):
        if m.error() is not None:
            raise SystemExit(str(m.error()))
        output.take(m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers() or [])


def consume(bootstrap, spec):
    if 'group' in spec:
        return consume_in_group(bootstrap, spec)
    consumer = ck.Consumer(COMMON | {
        'bootstrap.servers': bootstrap, 'group.id': 'assigned-only', 'enable.auto.commit': False, 'fetch.message.max.bytes': 20_000_000,
        'fetch.wait.max.ms': 100, 'receive.message.max.bytes': 200_000_000, 'fetch.max.bytes': 100_000_000})
    topic, start = spec['topic'], spec['from']
    if start == 'timestamp':
        places = consumer.offsets_for_times([ck.TopicPartition(topic, p, spec['at']) for p in spec['partitions']], timeout=30)
    elif start == 'end':
        places = [ck.TopicPartition(topic, p, consumer.get_watermark_offsets(ck.TopicPartition(topic, p), timeout=30)[1]) for p in spec['partitions']]
    else:
        places = [ck.TopicPartition(topic, p, ck.OFFSET_BEGINNING if start == 'beginning' else spec['at']) for p in spec['partitions']]
    consumer.assign(places)
    say({'ready': True})
    output = Output(spec)
    while output.wanted():
        read(consumer, output)
    output.end()
    consumer.close()


main(produce, consume)
