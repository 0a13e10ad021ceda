"""The board of the small world, scored once for all that look at its gates."""

from __future__ import annotations

import pytest

from seg5b.realism import Scoreboard, score_run
from tests.validation.harness import Run


@pytest.fixture(scope="session")
def board(small: Run) -> Scoreboard:
    """Every gate of the small world, which S5 has not judged."""
    return score_run(small.root, small.contracts)
