// The same contract as ../python/contract.py, for the npm clients: what they are told and what they print.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const patienceMs = 1000 * Number(process.env.OSTREAM_PATIENCE_S ?? '60')

// The packages live in the cache that ./test.sh fills, not beside this file.
export const load = createRequire(process.env.OSTREAM_CLIENTS + '/node/')
export const unpack = text => (text === null ? null : Buffer.from(text, 'base64'))
export const pack = data => (data === null || data === undefined ? null : Buffer.from(data).toString('base64'))
export const say = line => process.stdout.write(JSON.stringify(line) + '\n')

export class Digests {
  all = new Map()
  add(partition, value) {
    if (!this.all.has(partition)) this.all.set(partition, createHash('sha256'))
    this.all.get(partition).update(value)
  }
  say() {
    say({ digests: Object.fromEntries([...this.all].map(([partition, digest]) => [partition, digest.digest('hex')])) })
  }
}

export function* bulkRecords({ count, size, partitions }, digests) {
  const noise = randomBytes(1 << 20)
  for (let i = 0; i < count; i++) {
    const value = Buffer.alloc(size, '.')
    value.writeBigUInt64BE(BigInt(i))
    const start = (i * 7919) % (noise.length - size)
    noise.copy(value, 8, start, start + ((size - 8) >> 1))
    digests.add(i % partitions, value)
    yield { partition: i % partitions, value }
  }
}

export class Output {
  constructor(spec) {
    this.bulk = spec.bulk ?? false
    this.left = spec.count
    this.digests = new Digests()
    this.deadline = Date.now() + patienceMs
  }
  take(partition, offset, timestamp, key, value, headers) {
    if (this.left-- === 0) throw new Error('more records than expected')
    if (this.bulk) this.digests.add(partition, value)
    else say({ partition, offset: Number(offset), timestamp: Number(timestamp), key: pack(key), value: pack(value), headers: headers.map(([n, v]) => [String(n), pack(v)]) })
  }
  wanted() {
    if (this.left && Date.now() > this.deadline) throw new Error(`${this.left} records did not come in time`)
    return this.left > 0
  }
  end() {
    if (this.bulk) this.digests.say()
  }
}

export async function main(produce, consume) {
  const [command, bootstrap, file] = process.argv.slice(2)
  const spec = JSON.parse(readFileSync(file, 'utf8'))
  try {
    await { produce, consume }[command](bootstrap, spec)
    // what was printed goes out first
    process.stdout.write('', () => process.exit(0))
  } catch (error) {
    console.error(error, error.errors ?? '')
    process.exit(1)
  }
}
