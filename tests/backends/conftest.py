"""The backends over stand-ins and on a device are those of the tests of CUDA."""

from __future__ import annotations

from tests.device.conftest import cpu, device, hosted, hosted_with, on_cuda

__all__ = ["cpu", "device", "hosted", "hosted_with", "on_cuda"]
