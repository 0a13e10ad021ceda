"""The CUDA devices of this machine, one for each worker: what was asked for, checked, and told as CUDA_VISIBLE_DEVICES.

A worker sees one device only, so for every library in it that is device 0, and none can open a context on another's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import combinations

from seg5b.backends.devices import cuda_obstacle
from seg5b.errors import BackendError, EngineError

ALL = "all"
_NUMBER, _NAME = re.compile("[0-9]+"), re.compile("(GPU|MIG)-[0-9A-Za-z][0-9A-Za-z/-]*")


def parse_devices(text: str) -> tuple[str, ...]:
    """The devices of a list, ``0,1``, or names as CUDA_VISIBLE_DEVICES takes them, ``GPU-8932f937,MIG-41b36325-..``; or
    ``all``.

    Raises `EngineError` ``5B.ENGINE.DEVICES_INVALID`` for what is neither, and for a device that is named twice.
    """
    if text == ALL:
        return (ALL,)
    for each in text.split(","):
        if not _NUMBER.fullmatch(each) and not _NAME.fullmatch(each):
            raise _invalid(f"{each!r} is neither the number nor the name of a device")
    devices = tuple(str(int(each)) if each.isdigit() else each for each in text.split(","))
    for one, other in combinations(devices, 2):
        # a name may be cut short wherever it is still unique
        if one == other or (not one.isdigit() and (one.startswith(other) or other.startswith(one))):
            raise _invalid(f"{one} and {other} are the same device" if one != other else f"{one} is named twice")
    return devices


def visible_devices(devices: Sequence[str], *, cuda: bool, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """What each worker is to see, for devices as `parse_devices` gives them. Numbers count the devices that this process
    sees: where CUDA_VISIBLE_DEVICES is set, its entries.

    ``cuda``: the workers will compute on them, so they have to be there. Raises `EngineError` ``5B.ENGINE.DEVICES_INVALID`` as
    `parse_devices`, `BackendError` ``5B.BACKEND.CUDA_UNAVAILABLE``.
    """
    devices = parse_devices(",".join(devices))
    if devices == (ALL,):
        devices = tuple(map(str, range(_count())))
    elif cuda:
        for number in {int(each) if each.isdigit() else 0 for each in devices}:
            _require(cuda_obstacle(number))
    seen = environ.get("CUDA_VISIBLE_DEVICES")
    return devices if seen is None else tuple(_entry(each, seen.split(",")) for each in devices)


def _entry(device: str, seen: Sequence[str]) -> str:
    if not device.isdigit():
        return device
    if int(device) >= len(seen):
        raise _invalid(f"there is no device {device}: CUDA_VISIBLE_DEVICES names {len(seen)}")
    return seen[int(device)].strip()


def _count() -> int:
    """How many devices can be used, by asking for one after the other."""
    _require(cuda_obstacle(0))
    count = 1
    while cuda_obstacle(count) is None:
        count += 1
    return count


def _require(obstacle: str | None) -> None:
    if obstacle is not None:
        remedy = "leave out --devices"
        raise BackendError("5B.BACKEND.CUDA_UNAVAILABLE", obstacle, where="--devices", remedy=remedy)


def _invalid(what: str) -> EngineError:
    remedy = "name each device once, as 0,1 or by the names that nvidia-smi -L shows, or say all"
    return EngineError("5B.ENGINE.DEVICES_INVALID", what, where="--devices", remedy=remedy)
