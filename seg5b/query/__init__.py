"""SQL over published Parquet: the only room that knows DuckDB."""

from seg5b.query.database import Database, expression, open_database, typed_query
from seg5b.query.relation import lazy_relation
from seg5b.query.sorting import sort_parquet
from seg5b.query.text import Value, identifier, literal, parquet, row_value, with_constants

__all__ = [
    "Database",
    "Value",
    "expression",
    "identifier",
    "lazy_relation",
    "literal",
    "open_database",
    "parquet",
    "row_value",
    "sort_parquet",
    "typed_query",
    "with_constants",
]
