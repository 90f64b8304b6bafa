"""Reads tables with Apache Paimon's Python library, for the tests.

Standard input has one JSON object a line: {"warehouse": DIR, "table": "db.t",
"native": BOOL}. Each is answered with the rows of the table as JSON lines, in
the encoding that the other programs use, and then {"_end":0}, or with one line
{"error":...} and {"_end":1}. With native the Rust reader must do the work: what
it leaves to the Python one is an error.
"""

import json
import logging
import sys
from datetime import date, timedelta
from decimal import Decimal

import numpy
import pyarrow as pa
from pypaimon import CatalogFactory
from pypaimon.read.table_read import TableRead


def refuse_fallback(self, reason, error=None, log=False):
    if reason == "read.native.enabled is false":
        return None
    raise RuntimeError("the native reader does not read this: %s" % reason) from error


TableRead._native_fallback = refuse_fallback


def quote(text):
    out = json.dumps(text, ensure_ascii=False)
    return out.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def floating(value, shortest):
    """A number as Go's encoding/json prints it."""
    if value != value:
        return '"NaN"'
    if value in (float("inf"), float("-inf")):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    if value == 0:
        return "-0" if str(value)[0] == "-" else "0"
    d = Decimal(shortest(value)).normalize()
    sign, digits, exponent = d.as_tuple()
    first = len(digits) - 1 + exponent
    if -7 < first < 21:
        return format(d, "f")
    digits = "".join(map(str, digits))
    mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
    return "%s%se%+d" % ("-" if sign else "", mantissa, first)


def clock(count, per_second, digits):
    second, rest = divmod(count, per_second)
    text = "%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
    return text + (".%0*d" % (digits, rest) if digits else "")


def day(number):
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def timestamp(count, typ):
    digits = UNITS[typ.unit]
    days, rest = divmod(count, 86400 * 10**digits)
    return '"%sT%s%s"' % (day(days), clock(rest, 10**digits, digits), "Z" if typ.tz else "")


def scalar(array, typ):
    """The texts of a column without children, None for null."""
    if pa.types.is_boolean(typ):
        text = lambda v: "true" if v else "false"
    elif pa.types.is_integer(typ):
        text = str
    elif pa.types.is_float32(typ):
        text = lambda v: floating(v, lambda x: str(numpy.float32(x)))
    elif pa.types.is_float64(typ):
        text = lambda v: floating(v, repr)
    elif pa.types.is_decimal(typ):
        text = lambda v: '"%s"' % format(v, "f")
    elif pa.types.is_string(typ) or pa.types.is_large_string(typ):
        text = quote
    elif pa.types.is_binary(typ) or pa.types.is_fixed_size_binary(typ) or pa.types.is_large_binary(typ):
        text = lambda v: '"%s"' % v.hex()
    elif pa.types.is_date(typ):
        array, text = array.view(pa.int32()), lambda v: '"%s"' % day(v)
    elif pa.types.is_time32(typ):
        array, text = array.view(pa.int32()), lambda v: '"%s"' % clock(v, 1000, 3)
    elif pa.types.is_timestamp(typ):
        array, text = array.view(pa.int64()), lambda v: timestamp(v, typ)
    else:
        raise TypeError("no JSON for %s" % typ)
    return [None if v is None else text(v) for v in array.to_pylist()]


def texts(array):
    typ = array.type
    null = array.is_null().to_pylist()
    if pa.types.is_struct(typ):
        names = [quote(typ.field(i).name) for i in range(typ.num_fields)]
        members = [texts(child) for child in array.flatten()]
        rows = ["{%s}" % ",".join("%s:%s" % (n, c[r] or "null") for n, c in zip(names, members)) for r in range(len(array))]
    elif pa.types.is_map(typ):
        pairs = ["[%s,%s]" % (k, v or "null") for k, v in zip(texts(array.keys), texts(array.items))]
        rows = lists(array, pairs, sort=True)
    elif pa.types.is_list(typ):
        rows = lists(array, [v or "null" for v in texts(array.values)], sort=False)
    else:
        return scalar(array, typ)
    return [None if n else r for n, r in zip(null, rows)]


def lists(array, items, sort):
    at = array.offsets.to_pylist()
    cut = lambda r: sorted(items[at[r]:at[r + 1]], key=lambda s: s.encode()) if sort else items[at[r]:at[r + 1]]
    # A null row may have any offsets; its text is not used.
    return ["[%s]" % ",".join(cut(r)) for r in range(len(array))]


def read(ask):
    table = CatalogFactory.create({"warehouse": ask["warehouse"]}).get_table(ask["table"])
    if ask["native"]:
        table = table.copy({"read.native.enabled": "true"})
    builder = table.new_read_builder()
    found = builder.new_read().to_arrow(builder.new_scan().plan().splits())
    if found is None:
        return
    for batch in found.combine_chunks().to_batches():
        columns = [texts(c) for c in batch.columns]
        names = [quote(n) for n in batch.schema.names]
        for row in zip(*columns):
            print("{%s}" % ",".join("%s:%s" % (n, v or "null") for n, v in zip(names, row)))


def main():
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        try:
            read(json.loads(line))
            print('{"_end":0}', flush=True)
        except Exception as e:
            print(json.dumps({"error": "%s: %s" % (type(e).__name__, e)}))
            print('{"_end":1}', flush=True)


if __name__ == "__main__":
    main()
