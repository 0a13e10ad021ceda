"""Readers that give pandas' frames, or frames like them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.readers.truth import FIELDS
from tests.readers.ways import Reader, Way


def _records(frame: Any) -> Iterable[Mapping[str, Any]]:
    return (dict(zip(FIELDS, row, strict=True)) for row in frame[list(FIELDS)].itertuples(index=False))


def _pandas(source: str, read: str) -> Way:
    return Way(
        source,
        "",
        f"{read})",
        f'{read}, filters=[("scenario_id", "==", scenario)])',
        f'{read}, filters=[("merchant_id", "==", np.uint64(merchant))])',
        f'{read}, filters=[("ts_utc", ">=", start), ("ts_utc", "<", end)])',
    )


PANDAS = Reader(
    "pandas",
    "pandas",
    "import numpy as np\nimport pandas as pd",
    (_pandas("published", "pd.read_parquet(root, partitioning=None"), _pandas("exported", "pd.read_parquet(folder")),
    _records,
    ("pyarrow", "numpy"),
    "`partitioning=None`, since the names of the folders repeat columns of the files, and pandas refuses the two types of the "
    "seed (`Unable to merge: Field seed has incompatible types`). A folder of one scenario needs it not. An id above 2^63 "
    "in `filters` must be a numpy number: of a Python number pyarrow says `int too large to convert`.",
)


def _masked(source: str, opened: str, fault: str = "") -> Way:
    return Way(
        source,
        opened,
        "arrivals",
        "arrivals[arrivals.scenario_id == scenario]",
        "arrivals[arrivals.merchant_id == np.uint64(merchant)]",
        "arrivals[(arrivals.ts_utc >= start) & (arrivals.ts_utc < end)]",
        fault,
    )


DASK = Reader(
    "dask",
    "dask",
    "import dask.dataframe as dd\nimport numpy as np",
    (
        _masked("published", 'arrivals = dd.read_parquet(root, dataset={"partitioning": None})'),
        _masked("exported", "arrivals = dd.read_parquet(folder)"),
    ),
    lambda found: _records(found.compute()),
    ("pandas", "pyarrow"),
    "As pandas, and also for a folder of one scenario.",
)


FASTPARQUET = Reader(
    "fastparquet",
    "fastparquet",
    "import numpy as np\nfrom fastparquet import ParquetFile",
    (
        _masked("published", "arrivals = ParquetFile(root).to_pandas()", "instants and wall clocks come out wrong"),
        _masked("exported", "arrivals = ParquetFile(folder).to_pandas()"),
    ),
    _records,
    ("pandas", "numpy"),
    "It decodes delta-packed timestamps, which published files hold, to wrong ones and says nothing. Exports hold plain ones: "
    "read those, or read the run with pandas and pyarrow. With `row_filter=True` it puts other ids where there is none, and finds "
    "nothing by the name of a folder: filter what it has read.",
)

CUDF = Reader(
    "cudf",
    "cudf",
    "import cudf\nimport numpy as np\nfrom glob import glob",
    (
        _masked("published", 'arrivals = cudf.read_parquet(sorted(glob(f"{root}/**/*.parquet", recursive=True)))'),
        _masked("exported", "arrivals = cudf.read_parquet(folder)"),
    ),
    lambda found: found.to_arrow().to_pylist(),
    (),
    "Asked where there is a device and cudf.",
)
