"""The Python interface: open a run and read it, or realise it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg5b.contracts import ContractSource, dataset_files
from seg5b.errors import InputError, RunError, shown
from seg5b.foreign_json import OBJECT, read_json
from seg5b.frames.cudf import dataframe_maker
from seg5b.gate import scenarios_of_run
from seg5b.listing import DatasetFacts, datasets_of, output_of
from seg5b.options import ComputeOptions, Options
from seg5b.pipeline import run_states, states_between
from seg5b.places import place_table
from seg5b.progress import Report, Reporter, reporter_of
from seg5b.refusals import refuse_little_address_space, typed_failures
from seg5b.resources import resource_root
from seg5b.rows import Moment, Rows, condition_of
from seg5b.run_tables.outputs import INCOMPLETE, output_files
from seg5b.runs.identity import RunIdentity
from seg5b.runs.naming import find_run_id
from seg5b.runs.root import RunRoot, default_runs_root, open_root
from seg5b.session import RunResult
from seg5b.tables.reading import row_count
from seg5b.tables.whole import ArrowTable, read_dataset

if TYPE_CHECKING:
    from seg5b.comparison import Comparison
    from seg5b.explain import Explanation
    from seg5b.export import Exported, ReferenceRoot
    from seg5b.realism import Scoreboard
    from seg5b.replay import ReplayReport
    from seg5b.stream import Stream
    from seg5b.validation import VerifyReport


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """One run folder, to read. Made by `open_run`. Nothing of it writes into the run but `report` where it is told no other
    place, and what `score` and `report` keep of a scan beside it (``tmp/kept``, where the run may be written to)."""

    root: RunRoot
    contracts: ContractSource

    def __repr__(self) -> str:
        identity = self.identity
        return f"Run({identity.run_id}, seed {identity.seed}, {self.root.path})"

    def _repr_html_(self) -> str:
        """The run and what is published of it, as a notebook shows it."""
        rows = [
            f"<tr><td>{each.dataset_id}</td><td>{escape(each.scenario_id)}</td><td>{each.rows:,}</td></tr>"
            for each in self.datasets
        ]
        head = "<tr><th scope=col>dataset</th><th scope=col>scenario</th><th scope=col>rows</th></tr>"
        caption = f"run <code>{self.identity.run_id}</code>, seed {self.identity.seed}"
        return f"<table><caption>{caption}</caption>{head}{''.join(rows)}</table>"

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
    def scenarios(self) -> tuple[str, ...]:
        """Ids of the scenarios that the run realises. Raises as `seg5b.gate.scenarios_of_run`."""
        return tuple(each.scenario_id for each in scenarios_of_run(self.root, self.contracts))

    @property
    def datasets(self) -> list[DatasetFacts]:
        """The published datasets, by state and scenario. Raises as `seg5b.listing.datasets_of`."""
        return datasets_of(self.root, self.contracts)

    def rows(self, dataset_id: str, scenario_id: str | None = None, *, columns: Sequence[str] = ()) -> Rows:
        """Rows of a dataset of one scenario (None: of all), to be read when they are asked for.

        ``dataset_id`` with or without ``_5B``; ``columns``: names (none: all). Raises `RunError`
        ``5B.RUN.DATASET_UNKNOWN``, ``5B.RUN.DATASET_MISSING``, ``5B.RUN.SCENARIO_UNKNOWN``, ``5B.RUN.COLUMN_UNKNOWN``.
        """
        return Rows(self._files(dataset_id, scenario_id), columns)

    def arrivals(
        self,
        scenario_id: str | None = None,
        *,
        merchant: int | Iterable[int] | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        columns: Sequence[str] = (),
    ) -> Rows:
        """Arrivals of one scenario (None: of all), of some merchants (None: all) at [``start``, ``end``) by ``ts_utc``, to be
        read when they are asked for. Moments without an offset are UTC.

        Raises as `rows`, and `RunError` ``5B.RUN.SELECTION_INVALID``.
        """
        files = self._files("arrival_events_5B", scenario_id)
        return Rows(files, columns, condition_of(merchant, start, end))

    def _files(self, dataset_id: str, scenario_id: str | None) -> list[Path]:
        output = output_of(dataset_id, self.contracts)
        known = self.scenarios
        if scenario_id is not None and scenario_id not in known:
            what, remedy = f"the run has no scenario {shown(scenario_id)}", f"choose among {', '.join(known)}"
            raise RunError("5B.RUN.SCENARIO_UNKNOWN", what, where=str(self.root.path), remedy=remedy)
        chosen = known if scenario_id is None else (scenario_id,)
        files = [output_files(self.root, self.contracts, output, each) for each in chosen]
        if not all(files):
            raise RunError(
                "5B.RUN.DATASET_MISSING",
                f"{output.dataset_id} is not published",
                where=str(self.root.path),
                remedy=f"run the state that writes it: seg5b run --to {output.state}",
            )
        whole = [file for each in files for file in each]
        row_count(whole, code=INCOMPLETE)
        return whole

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
        from seg5b.export import ExportRequest, export_dataset

        return export_dataset(self.root, self.contracts, ExportRequest(out, **wanted))

    def export_reference_root(self, out: str | Path, *, through: str = "S5") -> ReferenceRoot:
        """Write the whole run as a run root of the reference engine, ``out``/<run id>, its tables in that engine's form and
        checked against the published ones; ``through``: the last state whose outputs come along. Raises as
        `seg5b.export.export_reference_root`."""
        from seg5b.export import export_reference_root

        return export_reference_root(self.root, self.contracts, out, through=through)

    def stream(self, offsets: str | Path | None = None, **wanted: Any) -> Stream:
        """Arrivals of one scenario in order of time, for a sink: ``with run.stream(speed=1000.0) as stream:
        stream.deliver(sink)``. ``offsets``: a file that remembers how far it got; ``wanted``: the fields of
        `seg5b.stream.StreamRequest`. Raises as `seg5b.stream.Stream`, when it is entered."""
        from seg5b.stream import Stream, StreamRequest

        kept = None if offsets is None else Path(offsets)
        return Stream(self.root, self.contracts, StreamRequest(**wanted), offsets=kept)

    def frame(self, dataset_id: str, scenario_id: str | None = None, columns: list[str] | None = None) -> Any:
        """The same as a cudf DataFrame; needs cudf and a device. Raises `RunError` ``5B.RUN.NO_CUDF``."""
        try:
            make = dataframe_maker()
        except ImportError as cause:
            raise RunError(
                "5B.RUN.NO_CUDF",
                "cudf is not installed",
                remedy="use table(), or pip install 'seg5b[cudf13]' (or [cudf12])",
            ) from cause
        return make(self.table(dataset_id, scenario_id, columns))

    def explain(
        self,
        merchant: int | None = None,
        arrival_seq: int | None = None,
        scenario_id: str | None = None,
        *,
        site: int | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> Explanation:
        """The life of one arrival, derived again in plain integers: number ``arrival_seq`` of a merchant, or the earliest of a
        merchant (None: of any), at a ``site`` (None: at any, and virtual ones), at [``start``, ``end``), in one scenario (None:
        the first).

        It shows itself in notebooks; ``text()``, ``html()`` and ``as_dict()`` give it otherwise, ``holds`` says whether it is
        what was published. Raises as `seg5b.explain.explain_arrival` and `seg5b.explain.explain_sought`; `RunError`
        ``5B.RUN.SELECTION_INVALID`` for a number without a merchant, or with a site or moments.
        """
        from seg5b.explain import Sought, explain_arrival, explain_sought

        if arrival_seq is None:
            return explain_sought(self.root, self.contracts, Sought(merchant, site, start, end), scenario_id)
        if merchant is None or (site, start, end) != (None, None, None):
            what, remedy = "arrival_seq is a number of a merchant, and needs no more", "give merchant and arrival_seq"
            raise RunError("5B.RUN.SELECTION_INVALID", what, where="arrival_seq", remedy=remedy)
        return explain_arrival(self.root, self.contracts, merchant, arrival_seq, scenario_id)

    def verify(self) -> VerifyReport:
        """The bundle and everything it seals, hashed again; ``problems`` is empty where all is as it was (law L15). Raises as
        `seg5b.validation.verify_validation_bundle`."""
        from seg5b.validation import verify_validation_bundle

        return verify_validation_bundle(self.root, self.contracts)

    def replay(self, parts: int | None = None, *, backend: str = "auto") -> ReplayReport:
        """S1-S4 made again in memory and compared: all, or so many ``parts`` of each dataset (law L15). Raises as
        `seg5b.replay.replay`."""
        from seg5b.replay import replay

        options = Options(compute=ComputeOptions(backend))
        return replay(self.root, self.contracts, parts=parts, options=options)

    def compare(self, other: Run) -> Comparison:
        """This run beside another one (`seg5b.comparison`): what they were made from, and what became of it. Raises as
        `seg5b.comparison.compare_runs`."""
        from seg5b.comparison import compare_runs

        return compare_runs(self.root, other.root, self.contracts)

    def report(self, out: str | Path = "report.html", *, overwrite: bool = False) -> Path:
        """Draw the run as one HTML page, into ``out``; returns where it is. Nothing is replaced without ``overwrite`` (law
        L18). Raises as `seg5b.page.write_page`."""
        from seg5b.page import write_page

        return write_page(self.root, self.contracts, Path(out), overwrite=overwrite).path

    def score(self) -> Scoreboard:
        """The realism gates, measured on all of the run; no board is written, as `seg5b score` does. Raises as
        `seg5b.realism.require_realised` and `seg5b.realism.score_run`."""
        from seg5b.realism import require_realised, score_run

        require_realised(self.root, self.contracts)
        return score_run(self.root, self.contracts)

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
    """Open a run with the packaged contracts: ``run_id``, or the beginning of one, else the newest below ``runs_root`` (else
    ``$SEG5B_RUNS_ROOT``, else ``./runs``). Raises `RunError`."""
    folder = Path(runs_root) if runs_root else default_runs_root()
    root = open_root(folder, find_run_id(folder, run_id), (resource_root(),))
    return Run(root, ContractSource.packaged())


def drawn_root(root: RunRoot, contracts: ContractSource, seed: int | None, scenarios: Sequence[str]) -> RunRoot:
    """The run itself, or that of another ``seed`` or of some ``scenarios``, found or made beside it. Raises as
    `seg5b.calibration.derive_run`."""
    if seed is None and not scenarios:
        return root
    from seg5b.calibration.derive import derive_run

    with typed_failures("RUN", str(root.path)):
        return derive_run(root, contracts, seed=seed, scenarios=scenarios).root


def run(
    runs_root: str | Path | None = None,
    run_id: str | None = None,
    *,
    seed: int | None = None,
    scenarios: Sequence[str] = (),
    first: str = "S0",
    last: str = "S5",
    backend: str | None = None,
    frames: str | None = None,
    options: Options | None = None,
    progress: bool | Report | Reporter = False,
) -> RunResult:
    """Realise a run from state ``first`` to ``last`` on ``backend`` (``auto``, ``cpu``, ``cuda``), columns read by ``frames``
    (``auto``, ``arrow``, ``cudf``); None: as ``options`` say, whose default is ``auto``.

    With another ``seed`` or ``scenarios`` (ids; none: as the run has them) the run derived from it is found or made beside it,
    and realised instead: the result names it (docs/laws#derived-runs).

    ``options``: what may be chosen for S0, S1-S4 and S5, see `seg5b.options.Options`. ``progress``: True draws bars in a
    terminal or a notebook; a function is called with ``(label, done, total)``; the run's log has lines of it in any case.

    May be called from any thread, several at once on different runs, each with its own log; in a process that was forked or
    spawned, also by one that is at work; and in a notebook. It blocks whoever calls until all is done: in an event loop,
    ``await asyncio.to_thread(seg5b.run, ...)``. One caller at a time writes to a run.

    Raises the `Seg5bError` of the state that failed, `BackendError` before any state, where what is asked for cannot be had,
    `RunError` ``5B.RUN.BUSY`` while another one writes to the run,
    `SystemRefusal` ``5B.RUN.OUT_OF_MEMORY`` in a process that is limited to less than 4 GB of address space, and
    as `seg5b.calibration.derive_run`.
    """
    refuse_little_address_space()
    opened = open_run(runs_root, run_id)
    states, options = states_between(first, last), options or Options()
    compute = replace(
        options.compute, backend=backend or options.compute.backend, frames=frames or options.compute.frames
    )
    root = drawn_root(opened.root, opened.contracts, seed, scenarios)
    options = replace(options, compute=compute)
    return run_states(root, opened.contracts, states, reporter=reporter_of(progress), options=options)
