"""Every row of every output carries the identity of its run, scenario and gate."""

from __future__ import annotations

from seg5b.run_tables.outputs import OUTPUT_TABLES, OutputTable
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Check, RowCondition


def _statement(output: OutputTable) -> str:
    names = {
        "manifest_fingerprint": "$fingerprint",
        "parameter_hash": "$parameters",
        "scenario_id": "$scenario",
        "seed": "$seed",
        f"{output.state.lower()}_spec_version": "$spec",
    }
    present = [(name, value) for name, value in names.items() if name in output.form.schema.names]
    return " OR ".join(f"{name} <> {value}" for name, value in present)


_COUNTED = {"intensity": "intensity_constants", "counts": "count_constants", "arrivals": "constants"}


def _if_published(output: OutputTable) -> Check:
    code = "S4_PARTITION_OR_IDENTITY_VIOLATION" if output.state == "S4" else "PARTITION_OR_IDENTITY_VIOLATION"

    counted = _COUNTED.get(output.table, "")

    def applies(subject: Subject) -> str:
        absent = not output.required and output.table not in subject.tables
        return f"{output.dataset_id} is optional and not published" if absent else ""

    return Check(
        f"identity.{output.table}",
        f"5B.S5.{code}",
        "schema_partition_pk_ok",
        "structural_checks.identity_columns",
        f"rows of {output.dataset_id} carry the run's hashes, seed and scenario and the gate's version",
        RowCondition(output.table, _statement(output), output.keys, counted),
        needs=(output.table, counted) if counted else (output.table,),
        applies=applies,
        must_have_rows=output.table not in ("anomalies", "latent"),
    )


CHECKS = tuple(_if_published(output) for output in OUTPUT_TABLES)
