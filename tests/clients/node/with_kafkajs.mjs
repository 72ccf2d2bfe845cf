// kafkajs. It reads only in groups, so it produces here.
import { Digests, bulkRecords, load, main, say, unpack } from './contract.mjs'

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

await main(produce, () => { throw new Error('kafkajs reads in groups only') })
