"""SQL over published Parquet: the only room that knows DuckDB."""

from seg5b.query.database import Database, open_database
from seg5b.query.sorting import sort_parquet
from seg5b.query.text import identifier, literal, parquet

__all__ = ["Database", "identifier", "literal", "open_database", "parquet", "sort_parquet"]
