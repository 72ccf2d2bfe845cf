"""kafka-python: Debian's 2.0, and the current one."""
import kafka
from contract import Digests, Output, bulk_records, main, say, unpack


# a loaded machine computes long over ten megabytes in plain Python; the newer one bounds the sum by delivery_timeout_ms
MORE = {"request_timeout_ms": 100_000} | ({"delivery_timeout_ms": 150_000} if "delivery_timeout_ms" in kafka.KafkaProducer.DEFAULT_CONFIG else {})


def produce(bootstrap, spec):
    producer = kafka.KafkaProducer(
        bootstrap_servers=bootstrap, acks='all', compression_type=None if spec['codec'] == 'none' else spec['codec'],
        max_request_size=16_000_000, max_block_ms=120_000, **MORE, batch_size=256 * 1024, linger_ms=5)
    if 'bulk' in spec:
        digests, last = Digests(), None
        failures = []
        for partition, value in bulk_records(spec['bulk'], digests):
            last = producer.send(spec['topic'], value=value, partition=partition)
            last.add_errback(failures.append)
        producer.flush(120)
        if failures:
            raise SystemExit(f'failed: {failures[:5]}')
        last.get(30)
        digests.say()
    else:
        futures = []
        for r in spec['records']:
            futures.append(producer.send(
                spec['topic'], key=unpack(r['key']), value=unpack(r['value']), partition=r['partition'], timestamp_ms=r['timestamp'],
                headers=[(name, unpack(data)) for name, data in r['headers']]))
            if len(r['value'] or '') > 10_000_000:
                # kafka-python 2.0 leaves what is queued behind so large a record unsent where the answer takes its time, as a blob store's does
                futures[-1].get(100)
        for future in futures:
            place = future.get(100)
            say({'partition': place.partition, 'offset': place.offset})
    producer.close()


def consume_in_group(bootstrap, spec):
    consumer = kafka.KafkaConsumer(
        spec['topic'], bootstrap_servers=bootstrap, group_id=spec['group'], enable_auto_commit=False, auto_offset_reset='earliest',
        max_partition_fetch_bytes=12_000_000, fetch_max_wait_ms=100)
    say({'ready': True})
    output = Output(spec)
    while output.wanted():
        for records in consumer.poll(timeout_ms=500, max_records=min(1000, output.left)).values():
            for r in records:
                output.take(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
    consumer.commit()
    output.end()
    consumer.close(autocommit=False)


def consume(bootstrap, spec):
    if 'group' in spec:
        return consume_in_group(bootstrap, spec)
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset='none',
        max_partition_fetch_bytes=12_000_000, fetch_max_wait_ms=100)
    places = [kafka.TopicPartition(spec['topic'], p) for p in spec['partitions']]
    consumer.assign(places)
    start = spec['from']
    if start == 'beginning':
        consumer.seek_to_beginning(*places)
    elif start == 'end':
        consumer.seek_to_end(*places)
        for place in places:
            consumer.position(place)
    elif start == 'offset':
        for place in places:
            consumer.seek(place, spec['at'])
    else:
        found = consumer.offsets_for_times({place: spec['at'] for place in places})
        ends = consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, found[place].offset if found[place] else ends[place])
    say({'ready': True})
    output = Output(spec)
    while output.wanted():
        for records in consumer.poll(timeout_ms=500, max_records=min(1000, output.left)).values():
            for r in records:
                output.take(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
    output.end()
    consumer.close()


main(produce, consume)
