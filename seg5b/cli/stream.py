"""`seg5b stream`: arrivals as they happened, to stdout, Kafka, or an address that takes POST."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress, TextColumn

from seg5b.cli.common import (
    MERCHANT_ID,
    CommandOutput,
    json_option,
    memory_option,
    open_run_options,
    reporting,
    run_options,
    threads_option,
)
from seg5b.cli.export import names_of
from seg5b.cli.terminal import end_of_pipe, manner, stderr
from seg5b.progress import LOGGER

if TYPE_CHECKING:
    from seg5b.stream import Delivery, Sink, Stream, StreamRequest

_OF_KAFKA, _OF_HTTP = ("brokers", "topic", "kafka_config"), ("url", "headers", "post_rows", "patience")
_AT_A_TERMINAL_S = 0.2
_POST_ROWS, _PATIENCE_S = 1000, 300.0
_log = logging.getLogger(LOGGER)


class _Speed(click.ParamType):  # type: ignore[type-arg] # generic in some releases only
    """A factor above 0, or max."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """The factor, None for max."""
        return None if value == "max" else float(click.FloatRange(0, min_open=True).convert(value, param, ctx))


@click.command()
@run_options
@click.option("--sink", type=click.Choice(["stdout", "kafka", "http"]), default="stdout", show_default=True)
@click.option("--scenario", help="Scenario. [default: the only one]")
@click.option(
    "--speed",
    type=_Speed(),
    default="max",
    show_default=True,
    help="Seconds of the world in a second; max: no schedule.",
)
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="At most so many arrivals a second. [default: no limit]"
)
@click.option("--from", "begin", metavar="OFFSET|MOMENT", help="How many arrivals to leave out, or the first moment.")
@click.option("--to", "until", metavar="MOMENT", help="The moment after the last: a date (UTC), or RFC 3339.")
@click.option(
    "--offsets", type=click.Path(path_type=Path, dir_okay=False), help="File that remembers the offset; go on from it."
)
@click.option("--limit", type=click.IntRange(1), help="At most so many arrivals. [default: all]")
@click.option("--merchant", "merchants", type=MERCHANT_ID, multiple=True, help="Only this merchant. Repeatable.")
@click.option("--where", metavar="SQL", help="Condition in DuckDB's SQL over the columns.")
@click.option(
    "--columns", multiple=True, metavar="A,B,...", help="[default: varying: those that say more than which run]"
)
@click.option(
    "--ids",
    type=click.Choice(["prefixed", "uint64", "int64", "string"]),
    help="Form of ids. [default: prefixed (id_1)]",
)
@click.option("--cloudevents", is_flag=True, help="Each arrival in the envelope of a CloudEvent 1.0.")
@click.option("--brokers", metavar="HOST:PORT,...", help="Kafka: where the cluster is.")
@click.option("--topic", help="Kafka: the topic.")
@click.option("--kafka-config", multiple=True, metavar="KEY=VALUE", help="Kafka: a setting of librdkafka. Repeatable.")
@click.option("--url", help="HTTP: the address to post to.")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME: VALUE", help="HTTP: sent with each post. Repeatable."
)
@click.option(
    "--post-rows", type=click.IntRange(1, 1 << 16), help=f"HTTP: at most so many in a post. [default: {_POST_ROWS}]"
)
@click.option("--patience", type=click.FloatRange(0), help=f"HTTP: seconds to try again. [default: {_PATIENCE_S:g}]")
@threads_option
@memory_option
@json_option
@reporting
def stream(threads: int | None, memory_gb: float | None, **options: Any) -> CommandOutput:
    """Deliver the arrivals of a scenario in order of time, each at least once.

    An arrival counts as delivered when the sink has acknowledged it. Whatever ends the stream, it says the offset to go on
    from. Rate and lag are shown on stderr.

    Example: seg5b stream --speed 1000 --sink kafka --brokers localhost:9092 --topic arrivals --offsets arrivals.offset
    """
    from seg5b.stream import Stream
    from seg5b.stream.streaming import DEFAULT_MEMORY_GB

    _check(options)
    root, contracts = open_run_options(options)
    request, memory = _request(options), memory_gb or DEFAULT_MEMORY_GB
    opened = Stream(root, contracts, request, offsets=options["offsets"], memory_limit_gb=memory, threads=threads)
    with opened:
        try:
            with _shown() as watch:
                done = opened.deliver(_sink(opened, root.identity.run_id, options), watch=watch)
        except BrokenPipeError:
            _say_where(opened)
            end_of_pipe()
        except BaseException:
            _say_where(opened)
            raise
    payload = {
        "run_id": root.identity.run_id,
        "scenario": opened.scenario_id,
        "sink": options["sink"],
        "from": opened.begin,
        "rows": done.rows,
        "offset": done.offset,
    }
    return payload, lambda: click.echo(f"{done.rows:,} arrivals delivered, offset {done.offset}", err=True)


def _check(options: Mapping[str, Any]) -> None:
    """Raises `click.UsageError` for options that do not go together."""
    sink = options["sink"]
    if sink == "stdout" and click.get_current_context().params.get("as_json"):
        raise click.UsageError("--json and --sink stdout both print to stdout")
    for owner, names in (("kafka", _OF_KAFKA), ("http", _OF_HTTP)):
        if sink != owner and any(options[name] not in (None, ()) for name in names):
            raise click.UsageError(f"{', '.join(_spelled(name) for name in names)} belong to --sink {owner}")
    needed = {"kafka": ("brokers", "topic"), "http": ("url",)}.get(sink, ())
    for name in needed:
        if not options[name]:
            raise click.UsageError(f"--sink {sink} needs --{name}")
    if options["begin"] is not None and options["offsets"] is not None and options["offsets"].exists():
        raise click.UsageError(f"{options['offsets']} says where to go on: leave out --from, or name another file")


def _spelled(name: str) -> str:
    return {"headers": "--header"}.get(name, f"--{name.replace('_', '-')}")


def _request(options: Mapping[str, Any]) -> StreamRequest:
    from seg5b.export.reading import VARYING
    from seg5b.stream import StreamRequest

    begin = options["begin"] or "0"
    as_asked = ("scenario", "merchants", "where", "until", "limit", "ids", "cloudevents", "speed", "rate")
    return StreamRequest(
        begin=int(begin) if begin.isascii() and begin.isdigit() else begin,
        columns=names_of(options["columns"]) or (VARYING,),
        **{name: options[name] for name in as_asked},
    )


def _sink(opened: Stream, run_id: str, options: Mapping[str, Any]) -> Sink:
    events = options["cloudevents"]
    if options["sink"] == "kafka":
        from seg5b.stream.kafka import KafkaSink

        kind = "application/cloudevents+json" if events else "application/json"
        headers = {"content-type": kind, "run_id": run_id, "scenario_id": opened.scenario_id}
        settings = _pairs(options["kafka_config"], "=", "--kafka-config")
        return KafkaSink(options["brokers"], options["topic"], headers=headers, settings=settings)
    if options["sink"] == "http":
        from seg5b.stream.web import HttpSink

        patience_s = _PATIENCE_S if options["patience"] is None else options["patience"]
        return HttpSink(
            options["url"],
            events=events,
            headers=_pairs(options["headers"], ":", "--header"),
            most_rows=options["post_rows"] or _POST_ROWS,
            patience_s=patience_s,
        )
    from seg5b.stream.sinks import StdoutSink

    return StdoutSink()


def _pairs(given: Sequence[str], mark: str, option: str) -> dict[str, str]:
    found = {}
    for each in given:
        name, between, value = each.partition(mark)
        if not between or not name.strip():
            raise click.UsageError(f"{option} {each!r}: write a name, {mark!r} and a value")
        found[name.strip()] = value.strip()
    return found


def _say_where(opened: Stream) -> None:
    kept = ", which --offsets remembers" if opened.remembers else ""
    click.echo(f"{opened.now.rows:,} arrivals delivered: go on with --from {opened.now.offset}{kept}", err=True)


@contextmanager
def _shown() -> Iterator[Any]:
    """Shows deliveries: one line that changes on a terminal, lines of the log elsewhere."""
    asked = manner()
    drawn = asked.bars and asked.detail >= 0
    text = TextColumn("  {task.description}", markup=False)
    with Progress(text, console=stderr, transient=True, disable=not drawn) as bar:
        task = bar.add_task("the first arrivals are looked for", total=None)
        every_s = _AT_A_TERMINAL_S if drawn else asked.every_s
        before, rows = time.monotonic(), 0

        def watch(now: Delivery) -> None:
            nonlocal before, rows
            seconds = time.monotonic() - before
            if seconds < every_s or now.micros is None:
                return
            words = _in_words(now, (now.rows - rows) / seconds)
            before, rows = time.monotonic(), now.rows
            if drawn:
                bar.update(task, description=words)
            else:
                _log.info(words)

        yield watch


def _in_words(now: Delivery, rate: float) -> str:
    moment = datetime.fromtimestamp((now.micros or 0) // 1_000_000, UTC)
    behind = "" if now.lag_s is None else f", {now.lag_s:.1f} s behind"
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}: {now.rows:,} of {now.wanted:,} arrivals, {rate:,.0f}/s{behind}, offset {now.offset}"
