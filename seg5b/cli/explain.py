"""`seg5b explain`: one arrival or one bucket derived again, and told."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from seg5b.cli.common import (
    MERCHANT_ID,
    CommandOutput,
    json_option,
    open_run_options,
    page_target,
    reporting,
    run_options,
    write_page,
)
from seg5b.cli.terminal import stdout

if TYPE_CHECKING:
    from seg5b.contracts import ContractSource
    from seg5b.explain import Candidate, Explanation, Sought
    from seg5b.runs.root import RunRoot

_MOMENT = "a date, or RFC 3339; UTC unless it says another offset."


@click.command()
@run_options
@click.option("--merchant", "merchant_id", type=MERCHANT_ID, help="Merchant id.")
@click.option(
    "--number", "--seq", "arrival_seq", type=click.IntRange(1), help="Number of the arrival: its arrival_seq."
)
@click.option("--site", "site_id", type=MERCHANT_ID, help="The earliest at this site.")
@click.option("--at", metavar="MOMENT", help=f"The earliest from this moment on: {_MOMENT}")
@click.option("--from", "since", metavar="MOMENT", help="The earliest in a stretch of time: its first moment.")
@click.option("--to", "until", metavar="MOMENT", help="The moment after the last, in the same form.")
@click.option("--list", "listed", type=click.IntRange(1), metavar="N", help="List the earliest N that fit instead.")
@click.option("--zone", help="Zone of a series, with --bucket: how many arrivals that bucket got.")
@click.option("--bucket", type=click.IntRange(0), help="Bucket of that series.")
@click.option("--channel", help="Channel of that series, where the merchant has several there.")
@click.option("--scenario", "scenario_id", help="Scenario. [default: the first]")
@click.option("--integers", is_flag=True, help="Also the integers: messages, keys, counters, words, table slots.")
@click.option("--html", "as_html", is_flag=True, help="Print an HTML page that needs no other file.")
@click.option("--out", metavar="FILE", help="Write that page to a file.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
@json_option
@reporting
def explain(listed: int | None, as_html: bool, out: str | None, **options: Any) -> CommandOutput:
    """Tell the life of one arrival: its day and clocks, how many there were, which second, where and why there.

    Everything is derived again from the sealed inputs. Exit status 1 when any of it differs from what was published.

    Example: seg5b explain --merchant 3128101038171252407 --number 17
    """
    sought = _sought(options, listed is not None)
    as_json = click.get_current_context().params.get("as_json")
    if listed and (as_html or out):
        raise click.UsageError("--list has no page: leave out --html and --out")
    if as_json and (as_html or out == "-"):
        raise click.UsageError("--json and the page both go to stdout: name a file with --out")
    if options["overwrite"] and not out:
        raise click.UsageError("--overwrite is for --out")
    root, contracts = open_run_options(options)
    if listed:
        return _list(root, contracts, sought, listed, options["scenario_id"])
    target = page_target(out, options["overwrite"])
    found = _explained(root, contracts, sought, options)
    write_page(target, lambda: found.html(integers=options["integers"]))

    def show() -> None:
        if as_html and not out:
            click.echo(found.html(integers=options["integers"]))
        elif out != "-":
            _print(found, options["integers"], out)

    return {"status": "PASS" if found.holds else "FAIL", "path": out, **found.as_dict()}, show


def _sought(options: dict[str, Any], listing: bool) -> Sought:
    """What is known of the arrival. Raises `click.UsageError` for options that do not go together."""
    from seg5b.explain import Sought

    merchant, number, site = options["merchant_id"], options["arrival_seq"], options["site_id"]
    at, since, until = (options[name] for name in ("at", "since", "until"))
    ways = [
        number is not None,
        options["zone"] is not None,
        any(value is not None for value in (site, at, since, until)),
    ]
    if sum(ways) > 1 or (listing and (ways[0] or ways[1])):
        raise click.UsageError("--number, --zone, and --site or a time are ways of their own: use one")
    if not listing and not any(ways):
        raise click.UsageError("say which: --merchant and --number, or --site, --at, --from, --to; or --list 10")
    if (ways[0] or ways[1]) and merchant is None:
        raise click.UsageError("--merchant is needed too")
    if (options["zone"] is None) != (options["bucket"] is None):
        raise click.UsageError("--zone and --bucket go together")
    if at and (since or until):
        raise click.UsageError("--at begins where --from would: use one")
    return Sought(merchant, site, at or since, until)


def _explained(root: RunRoot, contracts: ContractSource, sought: Sought, options: dict[str, Any]) -> Explanation:
    from seg5b.explain import explain_arrival, explain_bucket, explain_sought

    scenario, merchant = options["scenario_id"], options["merchant_id"]
    if options["arrival_seq"] is not None:
        return explain_arrival(root, contracts, merchant, options["arrival_seq"], scenario)
    if options["zone"] is not None:
        series = options["zone"], options["bucket"], options["channel"]
        return explain_bucket(root, contracts, merchant, *series, scenario)
    return explain_sought(root, contracts, sought, scenario)


def _print(found: Explanation, integers: bool, out: str | None) -> None:
    """The life on a terminal."""
    if found.matches is not None and found.matches > 1:
        click.echo(f"the earliest of {found.matches:,} arrivals that fit (--list 10 lists them)\n")
    if out:
        click.echo(f"{'equal to what was published' if found.holds else 'DIFFERS from what was published'}: {out}")
    else:
        click.echo(found.text(stdout.width, integers=integers))


def _list(root: RunRoot, contracts: ContractSource, sought: Sought, limit: int, scenario: str | None) -> CommandOutput:
    from seg5b.explain import list_sought
    from seg5b.explain.life.words import instant_text

    found, total = list_sought(root, contracts, sought, limit, scenario)

    def show() -> None:
        for each in found:
            click.echo(_line(each))
        click.echo(
            f"{len(found):,} of {total:,} arrivals that fit, earliest first; explain --merchant M --number N tells one"
        )

    ids = ("merchant_id", "site_id", "edge_id")
    rows = [asdict(each) for each in found]
    for row in rows:
        row |= {name: None if row[name] is None else str(row[name]) for name in ids}
        row["ts_utc"] = instant_text(row.pop("ts_us"))
    return {"matches": total, "arrivals": rows}, show


def _line(each: Candidate) -> str:
    from seg5b.explain.life.words import microsecond, offset, wall_clock

    local = wall_clock(each.ts_us, each.utc_offset_min_primary)
    place = f"edge {each.edge_id}" if each.is_virtual else f"site {each.site_id}"
    when = f"{local:%Y-%m-%d} {microsecond(local)} {offset(each.utc_offset_min_primary)}"
    return f"--merchant {each.merchant_id} --number {each.arrival_seq}  {when} {each.tzid_primary}  {place}"
