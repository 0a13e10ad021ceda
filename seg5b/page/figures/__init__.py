"""The figures of the page, a family per file: each takes measured facts and returns `Figure` records."""
