"""What takes long and has a shorter sister in `make test`: run by `make long`."""

from __future__ import annotations

import os

import pytest

LONG = pytest.mark.skipif(not os.environ.get("SEG5B_LONG"), reason="takes long: `make long`")
