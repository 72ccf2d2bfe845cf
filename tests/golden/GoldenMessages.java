import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * Prints the bytes that the Java client writes, of every message and version: one line "name version fill hex" for each.
 * The fills are "default" (a new object), "filled" (every field has a value that follows from its path) and "nulls" (the same, but null where the
 * version allows it; left out where nothing can be null). The recipe of the values is repeated on our side by MessageRecipe.cs; what must agree is only that file and this one.
 *
 * Run: java -cp "$KAFKA_PEERS/kafka/libs/*" GoldenMessages.java NAME ...
 * NAME is a message as our schema calls it: ProduceRequest, RequestHeader, OffsetCommitKey.
 */
public class GoldenMessages {
    private static final String[] PACKAGES = {
        "org.apache.kafka.common.message.", "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.transaction.generated.", "org.apache.kafka.coordinator.share.generated."
    };

    public static void main(String[] names) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String name : names) {
            Class<?> type = find(name);
            short low = type.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
            short high = type.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
            Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
            for (short version = low; version <= high; version++) {
                String filled = hex((Message) fill(type, schemas[version], name, false), version);
                String nulls = hex((Message) fill(type, schemas[version], name, true), version);
                out.printf("%s %d default %s%n", name, version, hex((Message) type.getConstructor().newInstance(), version));
                out.printf("%s %d filled %s%n", name, version, filled);
                if (!nulls.equals(filled))
                    out.printf("%s %d nulls %s%n", name, version, nulls);
            }
        }
        out.flush();
    }

    private static Class<?> find(String name) throws ClassNotFoundException {
        for (String where : PACKAGES) {
            for (String suffix : new String[] {"Data", ""}) {
                try {
                    return Class.forName(where + name + suffix);
                } catch (ClassNotFoundException elsewhere) {
                    continue;
                }
            }
        }
        throw new ClassNotFoundException(name);
    }

    private static String hex(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining())
            throw new IllegalStateException(message + " wrote less than it said");
        return HexFormat.of().formatHex(buffer.array());
    }

    /** An object with a value in every field that the version has. */
    private static Object fill(Class<?> type, Schema schema, String path, boolean nulls) throws Exception {
        Object object = type.getConstructor().newInstance();
        Map<String, Type> present = new TreeMap<>();
        for (BoundField field : schema.fields()) {
            if (field.def.type instanceof TaggedFields tagged)
                tagged.fields().values().forEach(f -> present.put(plain(f.name), f.type));
            else
                present.put(plain(field.def.name), field.def.type);
        }
        for (Field field : type.getDeclaredFields()) {
            Type wire = present.remove(plain(field.getName()));
            if (Modifier.isStatic(field.getModifiers()) || wire == null)
                continue;
            field.setAccessible(true);
            String name = path + "." + field.getName().substring(0, 1).toUpperCase(Locale.ROOT) + field.getName().substring(1);
            field.set(object, nulls && wire.isNullable() ? null : value(field.getType(), field.getGenericType(), wire, name, nulls));
        }
        if (!present.isEmpty())
            throw new IllegalStateException(path + " has no " + present.keySet());
        return object;
    }

    private static Object value(Class<?> type, java.lang.reflect.Type generic, Type wire, String path, boolean nulls) throws Exception {
        if (Collection.class.isAssignableFrom(type)) {
            Type element = wire.arrayElementType().get();
            // A list names its element's class itself; a keyed collection of Kafka's does in its superclass.
            java.lang.reflect.Type of = generic instanceof ParameterizedType ? generic : type.getGenericSuperclass();
            Class<?> elementType = (Class<?>) ((ParameterizedType) of).getActualTypeArguments()[0];
            @SuppressWarnings("unchecked")
            Collection<Object> all = type.isInterface() ? new ArrayList<>() : (Collection<Object>) type.getConstructor().newInstance();
            for (int i = 0; i < 2; i++)
                all.add(value(elementType, elementType, element, path + "[" + i + "]", nulls));
            return all;
        }
        if (wire instanceof Schema schema)
            return fill(type, schema, path, nulls);
        long hash = hash(path);
        if (type == boolean.class)
            return (hash & 1) != 0;
        if (type == byte.class || type == Byte.class)
            return (byte) hash;
        if (type == short.class || type == Short.class)
            return (short) hash;
        if (type == int.class || type == Integer.class)
            return wire == Type.UINT16 ? (int) (hash & 0xffff) : (int) hash;
        if (type == long.class || type == Long.class)
            return wire == Type.UNSIGNED_INT32 ? hash & 0xffffffffL : hash;
        if (type == double.class)
            return (int) hash / 8.0;
        if (type == Uuid.class)
            return new Uuid(hash, ~hash);
        if (type == String.class)
            return "\u00e9" + Long.toHexString(hash) + ((hash & 15) == 0 ? "x".repeat(140) : "");
        byte[] bytes = new byte[(hash & 15) == 0 ? 200 : 1 + (int) (hash & 7)];
        for (int i = 0; i < bytes.length; i++)
            bytes[i] = (byte) (hash >> (i % 8 * 8));
        if (type == byte[].class)
            return bytes;
        if (type == ByteBuffer.class)
            return ByteBuffer.wrap(bytes);
        return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
    }

    /** FNV-1a of the path, its halves folded. */
    private static long hash(String path) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < path.length(); i++)
            hash = (hash ^ path.charAt(i)) * 0x100000001b3L;
        return hash ^ (hash >>> 29);
    }

    private static String plain(String name) {
        return name.replace("_", "").toLowerCase(Locale.ROOT);
    }
}
