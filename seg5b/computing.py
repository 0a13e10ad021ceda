"""What computes for the states of one call, and what reads columns for them: chosen when the first of them asks.

A call whose states draw nothing, or find everything finished, never looks for a device: no import of CUDA packages, no
context, no trial.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import RLock

from seg5b.backends.base import Backend
from seg5b.backends.choose import CHOICES, choose_backend, cuda_obstacle
from seg5b.backends.cpu import CpuBackend
from seg5b.frames import Frames, frames_for, refuse_frames
from seg5b.options import ComputeOptions, Options

_log = logging.getLogger("seg5b")
NOT_NEEDED = {"backend": "none", "reason": "not needed"}


class Computing:
    """A backend and its reader of columns, each chosen once, by the first thread that asks.

    ``backend``: one that computes whatever ``options`` say. ``elsewhere``: what workers of a cluster are to compute with.
    ``used``: whether anything asked since it was last set to False, so that the record of a state names no backend that it did
    not need.
    """

    def __init__(
        self, options: ComputeOptions, backend: Backend | None = None, elsewhere: ComputeOptions | None = None
    ) -> None:
        self.options = options
        self.elsewhere = elsewhere or options
        self.used = False
        self._given = backend
        self._backend: Backend | None = None
        self._frames: Frames | None = None
        self._lock = RLock()

    @classmethod
    def of(cls, options: Options, backend: Backend | None = None) -> Computing:
        """What the options of a call say. Where devices are those of workers, this process computes what it has to on the CPU
        and opens none of them."""
        engine, compute = options.engine, options.compute
        elsewhere = ComputeOptions(engine.workers_backend, frames=compute.frames)
        if engine.devices:
            return cls(ComputeOptions("cpu"), backend or CpuBackend("the devices are the workers'"), elsewhere)
        return cls(compute, backend, elsewhere)

    def refuse_early(self, *, needed: bool) -> None:
        """Refuse choices that are none, and if a backend will be ``needed``, those that cannot be had here, as far as that
        is cheap to see: the trial on a device comes when it is chosen. ``auto`` is looked at by nobody.

        Raises `BackendError` as `choose_backend` and `seg5b.frames.refuse_frames`.
        """
        choice, device = self.options.backend, self.options.device
        if choice not in CHOICES or (needed and self._given is None and choice == "cuda" and cuda_obstacle(device)):
            choose_backend(choice, device=device)
        obstacle = None
        if needed and self._given is None and self.options.frames == "cudf":
            obstacle = "the backend is cpu" if choice == "cpu" else cuda_obstacle(device)
        refuse_frames(self.options.frames, obstacle, needed=needed)

    @property
    def backend(self) -> Backend:
        """Where to compute. Raises as `choose_backend`."""
        with self._lock:
            self.used = True
            if self._backend is None:
                self._backend = self._given or choose_backend(self.options.backend, device=self.options.device)
                _log.info("computing on %s (%s)", self._backend.name, self._backend.reason)
            return self._backend

    def frames(self, cells: Callable[[], int]) -> Frames:
        """What reads columns there; ``cells`` tells how many rows a dataset with one row per cell has. Raises as `backend`
        and `seg5b.frames.frames_for`."""
        with self._lock:
            backend = self.backend
            if self._frames is None:
                self._frames = frames_for(backend, self.options.frames, cells)
                _log.info("columns are read by %s (%s)", self._frames.name, self._frames.reason)
            return self._frames

    def describe(self) -> dict[str, str | int]:
        """Facts of the backend and the reader, for run records; `NOT_NEEDED` if nothing asked since ``used`` was reset."""
        if not self.used or self._backend is None:
            return dict(NOT_NEEDED)
        return {**self._backend.describe(), **({"frames": self._frames.name} if self._frames else {})}

    def chosen(self) -> dict[str, str | int]:
        """Facts of the backend that computed for any state of the call; `NOT_NEEDED` if for none."""
        return dict(NOT_NEEDED) if self._backend is None else self._backend.describe()
