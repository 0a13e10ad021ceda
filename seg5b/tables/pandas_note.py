"""The note by which pandas reads integers that may be missing as integers (docs/laws#file-metadata)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import pyarrow as pa

_NULLABLE: Final = {pa.uint64(): "UInt64", pa.int64(): "Int64", pa.int32(): "Int32"}
_FORM: Final = "2.2.0"


def pandas_note(fields: Iterable[pa.Field]) -> dict[str, str]:
    """The key ``pandas`` of a schema's metadata, in the form in which pandas describes its own tables (that of release 2.2.0).

    Without it pandas makes floats, which hold 53 bits of an id, of integer columns with nulls. Empty where no integer may be
    null. Numbers, flags and timestamps are all described, since fastparquet looks for them where there is a note; texts are
    not, so that each release of pandas reads them as it always does.
    """
    described = [_described(each) for each in fields if not _is_text(each.type)]
    if not any(each["numpy_type"] in _NULLABLE.values() for each in described):
        return {}
    note = {"index_columns": [], "column_indexes": [], "columns": described, "pandas_version": _FORM}
    return {"pandas": json.dumps(note)}


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_nested(kind))


def _described(field: pa.Field) -> dict[str, Any]:
    kind, numpy_type, more = str(field.type), str(field.type), None
    if pa.types.is_timestamp(field.type):
        numpy_type = f"datetime64[{field.type.unit}]"
        kind, more = ("datetimetz", {"timezone": field.type.tz}) if field.type.tz else ("datetime", None)
    elif pa.types.is_floating(field.type):
        kind = numpy_type = str(field.type.to_pandas_dtype().__name__)
    elif field.nullable:
        numpy_type = _NULLABLE.get(field.type, numpy_type)
    return {
        "name": field.name,
        "field_name": field.name,
        "pandas_type": kind,
        "numpy_type": numpy_type,
        "metadata": more,
    }
