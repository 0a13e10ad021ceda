"""External sort of Parquet files: any size in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seg5b.query.database import open_database
from seg5b.query.text import identifier, literal, parquet

_ROWS_PER_GROUP = 122_880


def sort_parquet(
    source: Path | Sequence[Path],
    target: Path,
    order_by: Sequence[str],
    *,
    columns: Sequence[str] | None = None,
    memory_limit_gb: float = 2.0,
    threads: int | None = None,
) -> None:
    """Write the rows of ``source`` to ``target``, ascending by ``order_by``: integers by value, strings by UTF-8 bytes.

    Column types stay (strings come back as plain strings, dictionary-encoded on disk); ``columns`` keeps only some.
    Rows that do not fit ``memory_limit_gb`` spill beside the target. Ties come in no particular order.
    Raises `InputError` ``5B.QUERY.FAILED``.
    """
    files = [source] if isinstance(source, Path) else list(source)
    keys = ", ".join(f"{identifier(name)} ASC NULLS FIRST" for name in order_by)
    kept = "*" if columns is None else ", ".join(map(identifier, columns))
    options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {_ROWS_PER_GROUP}"
    query = f"SELECT {kept} FROM {parquet(files)} ORDER BY {keys}"
    with open_database(memory_limit_gb, threads, target.parent / f".{target.name}.sort") as database:
        database.run(f"COPY ({query}) TO {literal(str(target))} ({options})")
