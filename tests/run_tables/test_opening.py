"""A run opened as SQL tables: what is there, what is missing and why, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seg5b.errors import PolicyError
from seg5b.run_tables import FULL, OUTPUT_TABLES, SAMPLED, open_run_tables, scenario_tables
from tests.validation.harness import Run, replaced

INPUTS = {"modes", "sites", "edges", "settlement", "profile", "first_countries", "group_weights"}


def test_a_run_has_its_inputs_and_a_scenario_its_outputs(plain: Run) -> None:
    with open_run_tables(plain.root, plain.contracts, label="tables") as run:
        assert (run.mode, run.tables, run.missing, run.scenario_id) == (FULL, INPUTS, {}, "")
        scenario = scenario_tables(run, run.gate.scenarios[0])
        required = {output.table for output in OUTPUT_TABLES if output.required}
        assert required | INPUTS <= scenario.tables
        (arrivals,), (counted,) = (scenario.row(f"SELECT {sql}") for sql in ("count(*) FROM arrivals", _COUNTED))
        assert arrivals == counted > 0
        assert list(plain.root.tmp().glob("tables_*"))
    assert not list(plain.root.tmp().glob("tables_*"))


_COUNTED = "sum(count_N)::BIGINT FROM counts"


def test_mode_and_limits_are_the_policies_unless_the_caller_says_so(plain: Run) -> None:
    def opened(mode: str | None, change: Callable | None = None) -> tuple[str, int]:
        with open_run_tables(plain.root, plain.contracts, label="t", mode=mode, change_policies=change) as run:
            return run.mode, run.policies.validation.failure_policy.max_warnings

    shipped = opened(None)
    assert shipped[0] == FULL
    assert opened("sampled")[0] == SAMPLED
    assert opened(None, replaced("failure_policy", max_warnings=77)) == (FULL, 77)
    with pytest.raises(PolicyError, match=r"5B\.S5\.CONTRACT_INVALID"):
        opened("half")


def test_what_cannot_be_read_is_missing_with_its_reason(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    run.path("s3_bucket_counts_5B").unlink()
    run.gate.files("edge_catalogue_3B")[0].write_bytes(b"no Parquet")
    with open_run_tables(run.root, run.contracts, label="tables") as tables:
        assert tables.tables == INPUTS - {"edges"}
        scenario = scenario_tables(tables, tables.gate.scenarios[0])
    assert set(scenario.missing) == {"edges", "counts", "counts_sample"}
    assert scenario.missing["counts"] == "s3_bucket_counts_5B is not published"
    assert scenario.missing["counts_sample"] == "needs counts"
