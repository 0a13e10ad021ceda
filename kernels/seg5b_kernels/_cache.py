"""Where compiled kernels are kept between processes: in a folder named after the sources of all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import seg5b_compiled

_FOLDER = seg5b_compiled.cache_folder(f"kernels-{seg5b_compiled.source_digest(Path(__file__).parent)}")


def kept(compile_: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """``compile_(function)``, its compiled forms kept; see `seg5b_compiled.kept`."""
    return seg5b_compiled.kept(compile_, function, _FOLDER)
