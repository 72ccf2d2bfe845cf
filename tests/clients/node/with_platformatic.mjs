// @platformatic/kafka, with the partitioner that it has for agreeing with the Java client: its default hashes to another partition.
// Its stream reads in groups; below it, Consumer.fetch and listOffsets read by assignment. (Its commits name the next offset, as Kafka's do.)
import { Digests, Output, bulkRecords, load, main, say, unpack } from './contract.mjs'

const { Consumer, Producer, compatibilityPartitioner } = load('@platformatic/kafka')

async function produce(bootstrap, spec) {
  const producer = new Producer({ clientId: 'platformatic', bootstrapBrokers: [bootstrap], idempotent: true, retries: 3, partitioner: compatibilityPartitioner })
  const send = messages => producer.send({ messages, acks: -1, compression: spec.codec })
  if (spec.bulk) {
    const digests = new Digests()
    let batch = []
    for (const { partition, value } of bulkRecords(spec.bulk, digests)) {
      if (batch.push({ topic: spec.topic, partition, value }) === 500) { await send(batch); batch = [] }
    }
    if (batch.length) await send(batch)
    digests.say()
  } else {
    for (const r of spec.records) {
      const message = { topic: spec.topic, headers: new Map(r.headers.map(([name, value]) => [Buffer.from(name), unpack(value)])) }
      if (r.key !== null) message.key = unpack(r.key)
      if (r.value !== null) message.value = unpack(r.value)
      if (r.partition !== null) message.partition = r.partition
      if (r.timestamp !== null) message.timestamp = BigInt(r.timestamp)
      const { offsets: [place] } = await send([message])
      say({ partition: place.partition, offset: Number(place.offset) })
    }
  }
  await producer.close()
}

async function consumeInGroup(bootstrap, spec) {
  const consumer = new Consumer({ clientId: 'platformatic', groupId: spec.group, groupProtocol: spec.protocol, bootstrapBrokers: [bootstrap], retries: 3 })
  const stream = await consumer.consume({ topics: [spec.topic], mode: 'committed', fallbackMode: 'earliest', autocommit: false, maxWaitTime: 100, maxBytes: 50_000_000 })
  say({ ready: true })
  const output = new Output(spec)
  const late = setTimeout(() => stream.destroy(new Error(`${output.left} records did not come in time`)), Math.max(0, output.deadline - Date.now()))
  const next = new Map()
  for await (const m of stream) {
    output.take(m.partition, m.offset, m.timestamp, m.key, m.value, [...m.headers])
    next.set(m.partition, m.offset)
    if (output.left === 0) break
  }
  clearTimeout(late)
  await consumer.commit({ offsets: [...next].map(([partition, offset]) => ({ topic: spec.topic, partition, offset: offset + 1n, leaderEpoch: -1 })) })
  output.end()
  await consumer.close(true)
}

async function consume(bootstrap, spec) {
  if (spec.group) return consumeInGroup(bootstrap, spec)
  const consumer = new Consumer({ clientId: 'platformatic', groupId: 'assigned-only', bootstrapBrokers: [bootstrap], retries: 3 })
  const metadata = await consumer.metadata({ topics: [spec.topic] })
  const topic = metadata.topics.get(spec.topic)
  const node = topic.partitions[spec.partitions[0]].leader
  const next = new Map(spec.partitions.map(partition => [partition, BigInt(spec.at ?? 0)]))
  if (spec.from !== 'offset') {
    const timestamp = { beginning: -2n, end: -1n, timestamp: BigInt(spec.at ?? 0) }[spec.from]
    const ask = at => consumer.listOffsets({ topics: [spec.topic], partitions: { [spec.topic]: spec.partitions }, timestamp: at })
    const found = (await ask(timestamp)).get(spec.topic), ends = (await ask(-1n)).get(spec.topic)
    for (const partition of spec.partitions) next.set(partition, found[partition] < 0n ? ends[partition] : found[partition])
  }
  say({ ready: true })
  const output = new Output(spec)
  while (output.wanted()) {
    const answer = await consumer.fetch({
      node, minBytes: 1, maxBytes: 50_000_000, maxWaitTime: 200, isolationLevel: 0,
      topics: [{ topicId: topic.id, partitions: [...next].map(([partition, fetchOffset]) => ({ partition, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1, partitionMaxBytes: 12_000_000 })) }]
    })
    for (const { partitionIndex, records } of answer.responses.flatMap(t => t.partitions)) {
      for (const batch of records ?? []) {
        for (const r of batch.records) {
          const offset = batch.firstOffset + BigInt(r.offsetDelta)
          if (offset < next.get(partitionIndex) || !output.left) continue
          output.take(partitionIndex, offset, batch.firstTimestamp + r.timestampDelta, r.key, r.value, r.headers)
          next.set(partitionIndex, offset + 1n)
        }
      }
    }
  }
  output.end()
  await consumer.close(true)
}

await main(produce, consume)
