"""The Python interface: open a run and read it, or realise it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource, dataset_files
from seg5b.errors import InputError, RunError
from seg5b.export import Exported, ExportRequest, export_dataset
from seg5b.foreign_json import OBJECT, read_json
from seg5b.frames.cudf import dataframe_maker
from seg5b.options import Options
from seg5b.pipeline import run_states, states_between
from seg5b.places import place_table
from seg5b.resources import resource_root
from seg5b.run_tables.outputs import INCOMPLETE
from seg5b.runs.identity import RunIdentity
from seg5b.runs.root import RunRoot, default_runs_root, open_root
from seg5b.session import RunResult
from seg5b.tables.reading import row_count
from seg5b.tables.whole import ArrowTable, read_dataset


@dataclass(frozen=True, slots=True)
class Run:
    """One run folder, to read. Made by `open_run`."""

    root: RunRoot
    contracts: ContractSource

    @property
    def identity(self) -> RunIdentity:
        """run_id, seed, parameter_hash, manifest_fingerprint."""
        return self.root.identity

    def path(self, dataset_id: str, scenario_id: str | None = None) -> Path:
        """File or folder of a dataset of the 5B dictionary. Raises `ContractError` for an unknown id or a missing
        ``scenario_id``."""
        entry = self.contracts.dictionary("5B").entry(dataset_id)
        return self.root.resolve(entry.render(self.identity.tokens(scenario_id)))

    def table(self, dataset_id: str, scenario_id: str | None = None, columns: list[str] | None = None) -> ArrowTable:
        """A Parquet dataset as an Arrow table, parts in order. Raises `RunError` ``5B.RUN.DATASET_MISSING``,
        `InputError` ``5B.RUN.DATASET_INCOMPLETE`` where parts are missing or not alone, or a file has no footer."""
        path = self.path(dataset_id, scenario_id)
        files = dataset_files(path, code=INCOMPLETE) if path.exists() else []
        if not files:
            raise RunError(
                "5B.RUN.DATASET_MISSING",
                f"{dataset_id} is not published",
                where=str(path),
                remedy="run the state that writes it",
            )
        row_count(files, code=INCOMPLETE)
        return read_dataset(files, columns)

    @property
    def sites(self) -> ArrowTable:
        """Every site: ``site_id``, the number that arrivals name, merchant, country, zone, degrees. See `seg5b.places`."""
        return place_table("sites", self.root, self.contracts)

    @property
    def edges(self) -> ArrowTable:
        """Every edge of virtual trade: ``edge_id``, the number that arrivals name, its hexadecimal form, merchant, country,
        zone, degrees, weight. See `seg5b.places`."""
        return place_table("edges", self.root, self.contracts)

    @property
    def merchants(self) -> ArrowTable:
        """Every merchant: class, country, how many countries and zones, expected volume, virtual mode. See
        `seg5b.places`."""
        return place_table("merchants", self.root, self.contracts)

    def export(self, out: str | Path, **wanted: Any) -> Exported:
        """Write rows of a dataset to a file, a folder, ``-``, ``s3://bucket/key`` or ``iceberg://catalog/namespace/table``.

        ``wanted``: the fields of `seg5b.export.ExportRequest` (``dataset``, ``scenarios``, ``merchants``, ``since``, ``until``,
        ``where``, ``columns``, ``limit``, ``order``, ``format``, ``compression``, ``partition_by``, ``ids``, ``overwrite``), as
        the options of ``seg5b export``. Raises `InputError`, `PublishError` ``5B.EXPORT.*``.
        """
        return export_dataset(self.root, self.contracts, ExportRequest(out, **wanted))

    def frame(self, dataset_id: str, scenario_id: str | None = None, columns: list[str] | None = None) -> Any:
        """The same as a cudf DataFrame; needs cudf and a device. Raises `RunError` ``5B.RUN.NO_CUDF``."""
        try:
            make = dataframe_maker()
        except ImportError as cause:
            raise RunError(
                "5B.RUN.NO_CUDF", "cudf is not installed", remedy="use table(), or see environment.yml"
            ) from cause
        return make(self.table(dataset_id, scenario_id, columns))

    def checks(self) -> list[dict[str, Any]]:
        """Results of S5's checks from the published report; empty if S5 has not passed. Raises `InputError`
        ``5B.RUN.REPORT_UNREADABLE``."""
        path = self.path("validation_report_5B")
        if not path.exists():
            return []
        try:
            return list(read_json(path, {"checks": [OBJECT]})["checks"])
        except (OSError, ValueError) as cause:
            remedy = "restore the validation bundle, or set it aside and run S5 again"
            what = f"the validation report cannot be read: {cause}"
            raise InputError("5B.RUN.REPORT_UNREADABLE", what, where=str(path), remedy=remedy) from cause


def open_run(runs_root: str | Path | None = None, run_id: str | None = None) -> Run:
    """Open a run with the packaged contracts: ``run_id``, else the newest below ``runs_root`` (else
    ``$SEG5B_RUNS_ROOT``, else ``./runs``). Raises `RunError`."""
    root = open_root(Path(runs_root) if runs_root else default_runs_root(), run_id, (resource_root(),))
    return Run(root, ContractSource.packaged())


def run(
    runs_root: str | Path | None = None,
    run_id: str | None = None,
    *,
    first: str = "S0",
    last: str = "S5",
    backend: str = "auto",
    options: Options | None = None,
) -> RunResult:
    """Realise a run from state ``first`` to ``last`` on ``backend`` (``auto``, ``cpu``, ``cuda``).

    ``options``: what may be chosen for S0, S1-S4 and S5, see `seg5b.options.Options`.

    May be called from any thread, several at once on different runs, each with its own log; in a process that was forked or
    spawned, also by one that is at work; and in a notebook. It blocks whoever calls until all is done: in an event loop,
    ``await asyncio.to_thread(seg5b.run, ...)``. One caller at a time writes to a run.

    Raises the `Seg5bError` of the state that failed, and `RunError` ``5B.RUN.BUSY`` while another one writes to the run.
    """
    from seg5b.backends.choose import choose_backend

    opened = open_run(runs_root, run_id)
    chosen = choose_backend(backend)
    return run_states(opened.root, opened.contracts, states_between(first, last), backend=chosen, options=options)
