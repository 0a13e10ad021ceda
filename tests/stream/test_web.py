"""Arrivals by POST: what is tried again, what is an error, and what a receiver sees."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from seg5b.api import Run
from seg5b.errors import InputError, PublishError
from seg5b.stream import Stream, StreamRequest
from seg5b.stream.web import HttpSink
from tests.stream.conftest import SCENARIO, KeptSink


@dataclass
class Receiver:
    """A server that answers as it is told, 204 when nothing more is said, and keeps what it takes."""

    url: str
    answers: list[tuple[int, dict[str, str]] | None] = field(default_factory=list)
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    asked: int = 0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.asked += 1
            answer = found.answers.pop(0) if found.answers else (204, {})
            if answer is None:  # no answer at all
                self.close_connection = True
                return
            status, headers = answer
            if status < 300:
                found.taken.append((dict(self.headers), body))
            text = b"" if status == 204 else b"because"
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Receiver(f"http://127.0.0.1:{server.server_port}/in?key=1")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


Posted = Callable[..., HttpSink]


@pytest.fixture
def post(run: Run, receiver: Receiver) -> Posted:
    """Post 2,500 arrivals; ``pauses`` gets how long the sink would have slept."""

    def posted(
        *, events: bool = False, patience_s: float = 60.0, pauses: list[float] | None = None, url: str = ""
    ) -> HttpSink:
        sleep = ([] if pauses is None else pauses).append
        sink = HttpSink(
            url or receiver.url,
            events=events,
            headers={"Authorization": "Bearer x"},
            most_rows=1000,
            patience_s=patience_s,
            sleep=sleep,
        )
        request = StreamRequest(scenario=SCENARIO, limit=2500, cloudevents=events)
        with Stream(run.root, run.contracts, request) as opened:
            opened.deliver(sink)
        return sink

    return posted


def test_batches_of_lines(receiver: Receiver, post: Posted, stream: Callable[..., KeptSink]) -> None:
    assert post().acknowledged == 2500
    assert [headers["Seg5b-Offset"] for headers, _ in receiver.taken] == ["0", "1000", "2000"]
    assert {headers["Content-Type"] for headers, _ in receiver.taken} == {"application/x-ndjson"}
    assert {headers["Authorization"] for headers, _ in receiver.taken} == {"Bearer x"}
    lines = [json.loads(line) for _, body in receiver.taken for line in body.splitlines()]
    assert lines == stream(limit=2500).rows


def test_batches_of_events(receiver: Receiver, post: Posted, stream: Callable[..., KeptSink]) -> None:
    post(events=True)
    assert {headers["Content-Type"] for headers, _ in receiver.taken} == {"application/cloudevents-batch+json"}
    events = [event for _, body in receiver.taken for event in json.loads(body)]
    assert events == stream(limit=2500, cloudevents=True).rows


def test_what_passes_is_tried_again(receiver: Receiver, post: Posted) -> None:
    later = formatdate(4_000_000_000, usegmt=True)
    receiver.answers = [
        *((503, {}), (500, {}), (429, {"Retry-After": "7"}), None, (502, {}), (200, {})),
        (503, {"Retry-After": later}),
    ]
    pauses: list[float] = []
    with pytest.raises(PublishError, match=r"5B\.STREAM\.HTTP_UNREACHABLE.*503"):
        post(pauses=pauses)
    assert [int(headers["Seg5b-Offset"]) for headers, _ in receiver.taken] == [0]
    assert pauses[2] == 7.0 and len(pauses) == 5
    for pause, expected in zip([pauses[0], pauses[1], pauses[3], pauses[4]], [0.25, 0.5, 2.0, 4.0], strict=True):
        assert 0.75 * expected <= pause <= 1.25 * expected


@pytest.mark.parametrize("status", [400, 401, 404, 413, 301])
def test_what_does_not_pass_is_an_error(receiver: Receiver, post: Posted, status: int) -> None:
    receiver.answers = [(200, {}), (status, {})]
    with pytest.raises(PublishError, match=rf"5B\.STREAM\.HTTP_REFUSED.*{status}.*because"):
        post()
    assert receiver.asked == 2


def test_nobody_answers(post: Posted) -> None:
    with pytest.raises(PublishError, match=r"5B\.STREAM\.HTTP_UNREACHABLE"):
        post(url="http://127.0.0.1:9/", patience_s=0.1)


@pytest.mark.parametrize("url", ["", "localhost:80", "ftp://host/x", "http://", "http://[::1/x", "http://host:no/"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(InputError, match=r"5B\.STREAM\.URL_WRONG"):
        HttpSink(url, events=False, headers={}, most_rows=1, patience_s=1.0)
