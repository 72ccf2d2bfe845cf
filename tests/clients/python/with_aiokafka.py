"""aiokafka, on asyncio."""
import asyncio
import aiokafka
from contract import Digests, Output, bulk_records, main, say, unpack


async def send_all(bootstrap, spec):
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, compression_type=None if spec['codec'] == 'none' else spec['codec'],
        max_request_size=16_000_000, max_batch_size=256 * 1024, linger_ms=5)
    await producer.start()
    try:
        if 'bulk' in spec:
            digests, waiting = Digests(), []
            for partition, value in bulk_records(spec['bulk'], digests):
                waiting.append(await producer.send(spec['topic'], value=value, partition=partition))
                if len(waiting) == 2000:
                    await asyncio.gather(*waiting)
                    waiting.clear()
            await asyncio.gather(*waiting)
            digests.say()
            return
        futures = [
            await producer.send(
                spec['topic'], key=unpack(r['key']), value=unpack(r['value']), partition=r['partition'], timestamp_ms=r['timestamp'],
                headers=[(name, unpack(data)) for name, data in r['headers']])
            for r in spec['records']]
        for future in futures:
            place = await future
            say({'partition': place.partition, 'offset': place.offset})
    finally:
        await producer.stop()


async def read_in_group(bootstrap, spec):
    consumer = aiokafka.AIOKafkaConsumer(
        spec['topic'], bootstrap_servers=bootstrap, group_id=spec['group'], enable_auto_commit=False, auto_offset_reset='earliest',
        max_partition_fetch_bytes=12_000_000, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        say({'ready': True})
        output = Output(spec)
        while output.wanted():
            for records in (await consumer.getmany(timeout_ms=500, max_records=min(1000, output.left))).values():
                for r in records:
                    output.take(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
        await consumer.commit()
        output.end()
    finally:
        await consumer.stop()


async def read_all(bootstrap, spec):
    if 'group' in spec:
        return await read_in_group(bootstrap, spec)
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset='none', max_partition_fetch_bytes=12_000_000, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        places = [aiokafka.TopicPartition(spec['topic'], p) for p in spec['partitions']]
        consumer.assign(places)
        start = spec['from']
        if start == 'beginning':
            await consumer.seek_to_beginning(*places)
        elif start == 'end':
            await consumer.seek_to_end(*places)
        elif start == 'offset':
            for place in places:
                consumer.seek(place, spec['at'])
        else:
            found = await consumer.offsets_for_times({place: spec['at'] for place in places})
            ends = await consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, found[place].offset if found[place] else ends[place])
        for place in places:
            await consumer.position(place)
        say({'ready': True})
        output = Output(spec)
        while output.wanted():
            for records in (await consumer.getmany(timeout_ms=500, max_records=min(1000, output.left))).values():
                for r in records:
                    output.take(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
        output.end()
    finally:
        await consumer.stop()


main(lambda bootstrap, spec: asyncio.run(send_all(bootstrap, spec)), lambda bootstrap, spec: asyncio.run(read_all(bootstrap, spec)))
