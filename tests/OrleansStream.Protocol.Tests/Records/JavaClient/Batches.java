import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Random;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Arguments: FOLDER SEED. Writes FOLDER/java.batches, random batches of every codec, and FOLDER/java.txt, what they hold, a line for each.
 * Reads FOLDER/ours.batches and says in FOLDER/ours.txt what they hold.
 */
public class Batches {
    public static void main(String[] args) throws Exception {
        File folder = new File(args[0]);
        Random random = new Random(Long.parseLong(args[1]));
        try (FileOutputStream out = new FileOutputStream(new File(folder, "java.batches"))) {
            long offset = 0;
            for (int i = 0; i < 60; i++) {
                SimpleRecord[] records = new SimpleRecord[1 + random.nextInt(i % 10 == 0 ? 400 : 20)];
                for (int r = 0; r < records.length; r++)
                    records[r] = new SimpleRecord(1_700_000_000_000L + random.nextInt(100_000), bytes(random, 50), bytes(random, 3000), headers(random));
                Compression codec = codec(i % 5, random);
                MemoryRecords batch = random.nextBoolean()
                    ? MemoryRecords.withRecords((byte) 2, offset, codec, TimestampType.CREATE_TIME, records)
                    : MemoryRecords.withIdempotentRecords((byte) 2, offset, codec, 7L + i, (short) 3, 1000 + i, 5, records);
                out.write(Arrays.copyOfRange(batch.buffer().array(), batch.buffer().arrayOffset(), batch.buffer().arrayOffset() + batch.sizeInBytes()));
                offset += records.length;
            }
        }
        dump(new File(folder, "java.batches"), new File(folder, "java.txt"));
        dump(new File(folder, "ours.batches"), new File(folder, "ours.txt"));
    }

    private static Compression codec(int which, Random random) {
        switch (which) {
            case 1: return Compression.gzip().level(1 + random.nextInt(9)).build();
            case 2: return Compression.snappy().build();
            case 3: return Compression.lz4().level(1 + random.nextInt(17)).build();
            case 4: return Compression.zstd().level(random.nextInt(27) - 5).build();
            default: return Compression.NONE;
        }
    }

    private static byte[] bytes(Random random, int limit) {
        int kind = random.nextInt(5);
        if (kind == 0)
            return null;
        byte[] bytes = new byte[random.nextInt(limit)];
        if (kind == 1)
            random.nextBytes(bytes);
        else
            for (int i = 0; i < bytes.length; i++)
                bytes[i] = (byte) (kind == 2 ? 'a' + random.nextInt(4) : "offset epoch journal ".charAt(i % (3 + 2 * kind)));
        return bytes;
    }

    private static Header[] headers(Random random) {
        Header[] headers = new Header[random.nextInt(3)];
        for (int i = 0; i < headers.length; i++)
            headers[i] = new RecordHeader("h" + random.nextInt(9) + "é", bytes(random, 20));
        return headers;
    }

    private static void dump(File file, File to) throws Exception {
        try (PrintStream out = new PrintStream(to, StandardCharsets.UTF_8)) {
            for (RecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(file.toPath()))).batches()) {
                batch.ensureValid();
                ByteArrayOutputStream content = new ByteArrayOutputStream();
                DataOutputStream data = new DataOutputStream(content);
                for (Record record : batch) {
                    data.writeLong(record.offset());
                    data.writeLong(record.timestamp());
                    put(data, record.hasKey() ? bytes(record.key()) : null);
                    put(data, record.hasValue() ? bytes(record.value()) : null);
                    data.writeInt(record.headers().length);
                    for (Header header : record.headers()) {
                        put(data, header.key().getBytes(StandardCharsets.UTF_8));
                        put(data, header.value());
                    }
                }
                StringBuilder digest = new StringBuilder();
                for (byte b : MessageDigest.getInstance("SHA-256").digest(content.toByteArray()))
                    digest.append(String.format("%02X", b));
                out.print(batch.baseOffset() + " " + batch.lastOffset() + " " + batch.countOrNull() + " " + batch.compressionType().id + " "
                    + batch.maxTimestamp() + " " + batch.producerId() + " " + batch.producerEpoch() + " " + batch.baseSequence() + " "
                    + batch.partitionLeaderEpoch() + " " + (batch.isTransactional() ? 1 : 0) + " " + (batch.isControlBatch() ? 1 : 0) + " "
                    + batch.checksum() + " " + digest + "\n");
            }
        }
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    private static void put(DataOutputStream data, byte[] bytes) throws Exception {
        data.writeInt(bytes == null ? -1 : bytes.length);
        if (bytes != null)
            data.write(bytes);
    }
}
