"""Delta and Iceberg tables, by their own libraries: a table appears, or gets its next version, in one step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from seg5b.errors import InputError, PublishError, brief
from seg5b.export.formats import Format
from seg5b.export.request import ExportRequest
from seg5b.export.targets import check_place
from seg5b.refusals import pass_on_refusal
from seg5b.tables.outgoing import RowBatch, Typed

_BATCHES_PER_FILE = 16


def check_lake(request: ExportRequest, form: Format) -> None:
    """Whether the table can be written, before any row is read. Raises `InputError` ``5B.EXPORT.LIBRARY_MISSING``,
    ``5B.EXPORT.TARGET_UNKNOWN``, and `PublishError` as `check_place`."""
    out = str(request.out)
    if form is Format.ICEBERG:
        _library("pyiceberg", "iceberg")
        _iceberg_name(out)
        if request.partition_by:
            remedy = "leave out --partition-by: readers skip files of an Iceberg table by its statistics"
            raise InputError("5B.EXPORT.PARTITION_UNKNOWN", "Iceberg tables are written whole", remedy=remedy)
        return
    _library("deltalake", "delta")
    if "://" in out and not out.startswith("s3://"):
        raise InputError("5B.EXPORT.TARGET_UNKNOWN", "a Delta table is a folder or an s3:// URL", where=out)
    if "://" not in out:
        table = (Path(out) / "_delta_log").is_dir()
        check_place(Path(out), overwrite=request.overwrite and table, folder=True)


def write_lake(request: ExportRequest, form: Format, typed: Typed, batches: Iterator[RowBatch]) -> None:
    """Write all rows as a new table; with ``overwrite`` as the next version of one that is there. Raises `PublishError`
    ``5B.EXPORT.LAKE_FAILED``, ``5B.EXPORT.TARGET_EXISTS``."""
    write = _write_delta if form is Format.DELTA else _write_iceberg
    try:
        write(request, typed, batches)
    except (OSError, MemoryError, InputError, PublishError):
        raise
    except Exception as cause:  # each library has failures of its own
        pass_on_refusal(cause)
        what = f"the library of {form.value} refuses: {brief(str(cause)) or type(cause).__name__}"
        raise PublishError(
            "5B.EXPORT.LAKE_FAILED", what, where=str(request.out), remedy="see its documentation"
        ) from cause


def _write_delta(request: ExportRequest, typed: Typed, batches: Iterator[RowBatch]) -> None:
    deltalake = _library("deltalake", "delta")
    out = str(request.out)
    if not request.overwrite and deltalake.DeltaTable.is_deltatable(out):
        raise _exists(out)
    keys = list(request.partition_by) or None
    mode, schema_mode = ("overwrite", "overwrite") if request.overwrite else ("error", None)
    deltalake.write_deltalake(out, typed.reader(batches), mode=mode, schema_mode=schema_mode, partition_by=keys)


def _write_iceberg(request: ExportRequest, typed: Typed, batches: Iterator[RowBatch]) -> None:
    catalogs = _library("pyiceberg", "iceberg", "pyiceberg.catalog")
    catalog_name, namespace, table_name = _iceberg_name(str(request.out))
    catalog, name = catalogs.load_catalog(catalog_name), (namespace, table_name)
    there = catalog.table_exists(name)
    if there and not request.overwrite:
        raise _exists(str(request.out))
    catalog.create_namespace_if_not_exists(namespace)
    if there:
        table = catalog.load_table(name)
        with table.transaction() as change:
            with change.update_schema(allow_incompatible_changes=True) as columns:
                columns.union_by_name(typed.schema)
            change.delete("true")
            _append(change, typed, batches)
        return
    with catalog.create_table_transaction(name, typed.schema) as change:
        _append(change, typed, batches)


def _append(change: Any, typed: Typed, batches: Iterable[RowBatch]) -> None:
    """Some batches at a time: the library takes tables in memory. All of them become visible together."""
    waiting = iter(batches)
    while piece := list(islice(waiting, _BATCHES_PER_FILE)):
        change.append(typed.table(piece))


def _exists(out: str) -> PublishError:
    remedy = "name another, or say --overwrite for a new version of it"
    return PublishError("5B.EXPORT.TARGET_EXISTS", "a table is there already", where=out, remedy=remedy)


def _iceberg_name(out: str) -> tuple[str, str, str]:
    parts = out.removeprefix("iceberg://").split("/")
    if not out.startswith("iceberg://") or len(parts) != 3 or not all(parts):
        remedy = "write iceberg://catalog/namespace/table; the catalog is one that pyiceberg is configured with"
        raise InputError("5B.EXPORT.TARGET_UNKNOWN", f"{out!r} names no Iceberg table", where=out, remedy=remedy)
    return parts[0], parts[1], parts[2]


def _library(name: str, extra: str, module: str | None = None) -> Any:
    import importlib

    try:
        return importlib.import_module(module or name)
    except ImportError as cause:
        what = f"{name} is not installed"
        raise InputError("5B.EXPORT.LIBRARY_MISSING", what, remedy=f"pip install 'seg5b[{extra}]'") from cause
