"""Lies in a folder of carried packages that PYTHONPATH names: Python then also obeys their ``.pth`` files, by which numba-cuda
takes the place of numba's own CUDA target. `make carried` puts it there."""

import site
from pathlib import Path

site.addsitedir(str(Path(__file__).parent))
