using System.Buffers;
using System.Collections;
using System.Globalization;
using System.Reflection;
using OrleansStream.Protocol.Generator;

namespace OrleansStream.Protocol.Tests.Wire;

/// <summary>
/// Fills a message with values that follow from each field's path alone. tests/golden/GoldenMessages.java has the same recipe, so both sides make the
/// same object without exchanging anything but bytes.
/// </summary>
internal static class MessageRecipe
{
    public static IMessage Fill(Message message, short version, bool nulls) =>
        (IMessage)Fill(Schemas.ClassOf(message.Name), message.Root, version, message.Name, nulls);

    private static object Fill(Type type, Struct schema, short version, string path, bool nulls)
    {
        object filled = Activator.CreateInstance(type)!;
        foreach (Field field in schema.Fields)
        {
            if (!Has(field.Versions, version))
                continue;
            PropertyInfo property = type.GetProperty(field.Name)!;
            object? value = nulls && Has(field.NullableVersions, version) ? null : Value(property.PropertyType, field, version, $"{path}.{field.Name}", nulls);
            property.SetValue(filled, value);
        }
        return filled;
    }

    private static object Value(Type type, Field field, short version, string path, bool nulls)
    {
        if (!field.IsArray)
            return One(type, field, version, path, nulls);
        Type element = type.IsArray ? type.GetElementType()! : type.GetGenericArguments()[0];
        Array two = Array.CreateInstance(element, 2);
        for (int i = 0; i < 2; i++)
            two.SetValue(One(element, field, version, $"{path}[{i}]", nulls), i);
        return type.IsArray ? two : Activator.CreateInstance(type, two)!;
    }

    private static object One(Type type, Field field, short version, string path, bool nulls)
    {
        if (field.Struct is not null)
            return Fill(type, field.Struct, version, path, nulls);
        long hash = Hash(path);
        return field.Type switch
        {
            "bool" => (hash & 1) != 0,
            "int8" => (sbyte)hash,
            "int16" => (short)hash,
            "uint16" => (ushort)hash,
            "int32" => (int)hash,
            "uint32" => (uint)hash,
            "int64" => hash,
            "float64" => (int)hash / 8.0,
            "uuid" => Uuid(hash),
            "string" => "\u00e9" + hash.ToString("x", CultureInfo.InvariantCulture) + ((hash & 15) == 0 ? new string('x', 140) : ""),
            "bytes" => Bytes(hash),
            "records" => new ReadOnlySequence<byte>(Bytes(hash)),
            _ => throw new ArgumentOutOfRangeException(nameof(field), field.Type, null),
        };
    }

    private static byte[] Bytes(long hash)
    {
        byte[] bytes = new byte[(hash & 15) == 0 ? 200 : 1 + (int)(hash & 7)];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)(hash >> (i % 8 * 8));
        return bytes;
    }

    private static Guid Uuid(long hash)
    {
        byte[] bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(bytes, hash);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(8), ~hash);
        return new Guid(bytes, bigEndian: true);
    }

    private static bool Has(VersionRange range, short version) => version >= range.Low && version <= range.High;

    private static long Hash(string path)
    {
        ulong hash = 0xcbf29ce484222325;
        foreach (char c in path)
            hash = unchecked((hash ^ c) * 0x100000001b3);
        return (long)(hash ^ (hash >> 29));
    }
}
