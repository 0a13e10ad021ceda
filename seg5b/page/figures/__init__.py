"""The figures of the page, a subject per file: each takes all measured scenarios and returns `Figure` records."""
