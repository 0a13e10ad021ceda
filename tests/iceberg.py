"""A catalog of Iceberg tables on this disk, as one configures it for pyiceberg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def catalog_at(name: str, warehouse: Path) -> Iterator[None]:
    """pyiceberg is configured with a catalog of this name, for its duration."""
    from pyiceberg import catalog
    from pyiceberg.utils.config import Config

    settings = {"TYPE": "sql", "URI": f"sqlite:///{warehouse}/catalog.db", "WAREHOUSE": f"file://{warehouse}"}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in settings.items():
            patch.setenv(f"PYICEBERG_CATALOG__{name.upper()}__{key}", value)
        patch.setattr(catalog, "_ENV_CONFIG", Config())  # it reads the environment once
        yield
