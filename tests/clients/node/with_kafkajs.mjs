// kafkajs. It reads only in groups.
import { Digests, Output, bulkRecords, load, main, say, unpack } from './contract.mjs'

const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = load('kafkajs')
CompressionCodecs[CompressionTypes.Snappy] = load('kafkajs-snappy')
const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy }

async function produce(bootstrap, spec) {
  const kafka = new Kafka({ brokers: [bootstrap], clientId: 'kafkajs', logLevel: logLevel.ERROR, retry: { retries: 3 } })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false })
  await producer.connect()
  const send = messages => producer.send({ topic: spec.topic, acks: -1, compression: codecs[spec.codec], messages })
  if (spec.bulk) {
    const digests = new Digests()
    let batch = []
    for (const record of bulkRecords(spec.bulk, digests)) if (batch.push(record) === 500) { await send(batch); batch = [] }
    if (batch.length) await send(batch)
    digests.say()
  } else {
    for (const r of spec.records) {
      const headers = {}
      // several headers of one name are an array of values
      for (const [name, value] of r.headers) headers[name] = name in headers ? [].concat(headers[name], unpack(value)) : unpack(value)
      const [place] = await send([{ key: unpack(r.key), value: unpack(r.value), headers, ...(r.partition !== null && { partition: r.partition }), ...(r.timestamp !== null && { timestamp: String(r.timestamp) }) }])
      say({ partition: place.partition, offset: Number(place.baseOffset) })
    }
  }
  await producer.disconnect()
}

async function consume(bootstrap, spec) {
  const kafka = new Kafka({ brokers: [bootstrap], clientId: 'kafkajs', logLevel: logLevel.ERROR, retry: { retries: 3 } })
  const consumer = kafka.consumer({ groupId: spec.group, allowAutoTopicCreation: false, maxWaitTimeInMs: 100, maxBytesPerPartition: 12_000_000 })
  await consumer.connect()
  await consumer.subscribe({ topic: spec.topic, fromBeginning: true })
  say({ ready: true })
  const output = new Output(spec)
  let failed
  const done = new Promise((resolve, reject) => {
    failed = setTimeout(() => reject(new Error(`${output.left} records did not come in time`)), Math.max(0, output.deadline - Date.now()))
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    const eachMessage = async ({ partition, message: { offset, timestamp, key, value, headers } }) => {
      // several headers of one name are an array of values
      output.take(partition, offset, timestamp, key, value, Object.entries(headers ?? {}).flatMap(([n, v]) => [v].flat().map(one => [n, one])))
      if (output.left === 0) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await done
  clearTimeout(failed)
  output.end()
  // it commits what it has handled, and leaves
  await consumer.disconnect()
}

await main(produce, consume)
