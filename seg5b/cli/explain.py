"""`seg5b explain`: one arrival or one bucket derived again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from seg5b.cli.common import MERCHANT_ID, CommandOutput, json_option, open_run_options, reporting, run_options
from seg5b.cli.terminal import stdout


@click.command()
@run_options
@click.option("--merchant", "merchant_id", type=MERCHANT_ID, required=True, help="Merchant id.")
@click.option("--seq", "arrival_seq", type=click.IntRange(1), help="Number of the arrival.")
@click.option("--zone", help="Zone of a series, instead of --seq.")
@click.option("--bucket", type=click.IntRange(0), help="Bucket of that series, instead of --seq.")
@click.option("--channel", help="Channel of that series, where the merchant has several there.")
@click.option("--scenario", "scenario_id", help="Scenario. [default: the first]")
@json_option
@reporting
def explain(
    merchant_id: int,
    arrival_seq: int | None,
    zone: str | None,
    bucket: int | None,
    channel: str | None,
    scenario_id: str | None,
    **options: Any,
) -> CommandOutput:
    """Derive one arrival, or one bucket's intensity and count, again in plain integers, and show every step.

    Exit status 1 when anything derived differs from what was published.

    Example: seg5b explain --merchant 3128101038171252407 --seq 17
    """
    from seg5b.explain import explain_arrival, explain_bucket

    if (arrival_seq is None) == (zone is None or bucket is None):
        raise click.UsageError("give --seq, or --zone and --bucket")
    root, contracts = open_run_options(options)
    if arrival_seq is not None:
        found = explain_arrival(root, contracts, merchant_id, arrival_seq, scenario_id)
    else:
        found = explain_bucket(root, contracts, merchant_id, str(zone), int(bucket or 0), channel, scenario_id)
    payload = found.as_json()

    def show() -> None:
        stdout.print(f"merchant {merchant_id}, scenario {found.scenario_id}")
        for title in ("bucket", "arrival"):
            if payload[title] is not None:
                stdout.print(f"\n{title}")
                _print_tree(payload[title], 1)
        stdout.print("\nequal to what was published" if found.holds else f"\nDIFFERS in {', '.join(found.differences)}")

    return {"status": "PASS" if found.holds else "FAIL", **payload}, show


def _print_tree(node: Mapping[str, Any], depth: int) -> None:
    for name, value in node.items():
        if isinstance(value, Mapping):
            stdout.print(f"{'  ' * depth}{name}", markup=False)
            _print_tree(value, depth + 1)
        else:
            stdout.print(f"{'  ' * depth}{name:<26} {value}", soft_wrap=True, markup=False)
