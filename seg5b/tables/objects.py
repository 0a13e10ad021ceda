"""Object storage through pyarrow's filesystems: one object, or those below a prefix."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyarrow import fs

from seg5b.errors import PublishError, brief

_FAILED = "5B.EXPORT.STORE_FAILED"


class ObjectStore:
    """What lies at a URL such as ``s3://bucket/key``. Credentials, region and endpoint come from where AWS's own tools look for
    them (``AWS_ACCESS_KEY_ID``, ``AWS_DEFAULT_REGION``, ``AWS_ENDPOINT_URL``, profiles), or from the URL's query
    (``?region=...&endpoint_override=...``). Raises `PublishError` ``5B.EXPORT.STORE_FAILED``."""

    def __init__(self, url: str) -> None:
        self._url = url
        with self._typed():
            self._files, self._path = fs.FileSystem.from_uri(url)

    def exists(self) -> bool:
        """Whether there is an object, or objects below it. Raises `PublishError`."""
        with self._typed():
            return bool(self._files.get_file_info(self._path).type != fs.FileType.NotFound)

    def open(self, name: str) -> ObjectStream:
        """A new object below the prefix, or at the URL itself; it appears when it is closed. Raises `PublishError`."""
        with self._typed():
            path = f"{self._path}/{name}" if name else self._path
            return ObjectStream(self._files.open_output_stream(path), self)

    def delete(self, name: str) -> None:
        """Delete what `open` made. Raises `PublishError`."""
        with self._typed():
            self._files.delete_file(f"{self._path}/{name}" if name else self._path)

    @contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError) as cause:
            what = f"the object store refuses: {brief(str(cause))}"
            remedy = "look at the URL, the credentials, the region and the endpoint"
            raise PublishError(_FAILED, what, where=self._url, remedy=remedy) from cause


class ObjectStream:
    """The bytes of an object on their way: a one-shot or multipart upload."""

    def __init__(self, stream: Any, store: ObjectStore) -> None:
        self._stream, self._store = stream, store

    @property
    def closed(self) -> bool:
        """Whether it is complete."""
        return bool(self._stream.closed)

    def write(self, piece: Any) -> int:
        """Send the next bytes. Raises `PublishError`."""
        with self._store._typed():
            return int(self._stream.write(piece))

    def tell(self) -> int:
        """How many bytes were written."""
        return int(self._stream.tell())

    def flush(self) -> None:
        """Parts are sent as they fill."""

    def close(self) -> None:
        """Complete the object: only now does it appear. Raises `PublishError`."""
        with self._store._typed():
            self._stream.close()

    def abandon(self) -> None:
        """Leave the upload incomplete: the object never appears. Arrow completes the upload of a stream that is thrown away,
        and has no call that aborts it, so the stream is kept until the process ends."""
        if not self._stream.closed:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._stream))

    def readable(self) -> bool:
        """False."""
        return False

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """False."""
        return False
