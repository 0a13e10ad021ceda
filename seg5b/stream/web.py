"""Arrivals by HTTP: batches are posted one after another, and posted again until they are taken."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from seg5b.errors import InputError, PublishError
from seg5b.stream.sinks import Part

LINES: Final = "application/x-ndjson"
EVENTS: Final = "application/cloudevents-batch+json"
_FIRST_WAIT_S, _LONGEST_WAIT_S, _ANSWER_S = 0.25, 30.0, 60.0
_MOST_OF_ANSWER: Final = 1 << 20
_LATER: Final = (408, 425, 429)
"""Beside 5xx, answers that mean: not now."""


class HttpSink:
    """POST of at most ``most_rows`` arrivals to ``url``, as JSON lines, or as a batch of CloudEvents.

    An answer 2xx acknowledges them. Answers 5xx, 408, 425 and 429, and connections that fail, are tried again after a time that
    doubles, or that the answer's ``Retry-After`` names, for ``patience_s`` seconds; any other answer is an error. The header
    ``Seg5b-Offset`` says which arrival a batch begins with: a batch that is posted twice has the same.

    ``headers`` go with each request. Raises `InputError` ``5B.STREAM.URL_WRONG``.
    """

    def __init__(
        self,
        url: str,
        *,
        events: bool,
        headers: Mapping[str, str],
        most_rows: int,
        patience_s: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection, self._target = _connection(url)
        self._url, self._events, self._patience_s, self._sleep = url, events, patience_s, sleep
        self._headers = {"Content-Type": EVENTS if events else LINES, **headers}
        self.most_rows, self.acknowledged = most_rows, 0

    def send(self, part: Part) -> None:
        """Post a batch until it is taken. Raises `PublishError` ``5B.STREAM.HTTP_REFUSED``, ``5B.STREAM.HTTP_UNREACHABLE``."""
        body = b"[" + part.lines[:-1].replace(b"\n", b",") + b"]" if self._events else part.lines
        headers = {**self._headers, "Seg5b-Offset": str(part.offset)}
        began, wait = time.monotonic(), _FIRST_WAIT_S
        while True:
            said, asked_wait = self._post(body, headers)
            if not said:
                self.acknowledged += len(part.merchants)
                return
            pause = asked_wait if asked_wait is not None else wait * random.uniform(0.75, 1.25)
            if time.monotonic() - began + pause > self._patience_s:
                remedy = "go on from the offset when it answers again; --patience waits longer"
                raise PublishError("5B.STREAM.HTTP_UNREACHABLE", said, where=self._url, remedy=remedy)
            self._sleep(pause)
            wait = min(2 * wait, _LONGEST_WAIT_S)

    def idle(self) -> None:
        """Every batch is acknowledged before the next one is sent."""

    def finish(self) -> None:
        """Nothing is under way."""

    def close(self, patience_s: float) -> None:
        """Close the connection."""
        self._connection.close()

    def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, float | None]:
        """Nothing, if the batch was taken, else why it is to be posted again, and in how many seconds if that was said."""
        try:
            self._connection.request("POST", self._target, body, dict(headers))
            answer = self._connection.getresponse()
            text = answer.read(_MOST_OF_ANSWER)
        except (OSError, HTTPException) as cause:
            self._connection.close()  # the next request opens another
            return f"no answer: {cause or type(cause).__name__}", None
        if not answer.isclosed():
            self._connection.close()  # an answer without an end
        if 200 <= answer.status < 300:
            return "", None
        what = f"answered {answer.status} {answer.reason}"
        if answer.status in _LATER or answer.status >= 500:
            return what, _retry_after_s(answer)
        said = text[:200].decode("utf-8", "replace").strip()
        remedy = "the batch was not taken; what is wrong with it, or with the address, its answer says"
        raise PublishError("5B.STREAM.HTTP_REFUSED", f"{what}: {said}", where=self._url, remedy=remedy)


def _connection(url: str) -> tuple[HTTPConnection, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host:
        remedy = "write http://host:port/path, or https://"
        raise InputError("5B.STREAM.URL_WRONG", f"{url!r} is no address to post to", remedy=remedy)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    return kind(host, port, timeout=_ANSWER_S), target


def _retry_after_s(answer: HTTPResponse) -> float | None:
    text = answer.getheader("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    with suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return None
