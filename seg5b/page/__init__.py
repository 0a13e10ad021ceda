"""The report of a run as one HTML page that needs nothing else: figures are drawn here as SVG, numbers come from SQL.

`facts/` measures, a subject per file; `figures/` draws what was measured; `report` puts the page together.
"""

from seg5b.page.report import WrittenPage, write_page

__all__ = ["WrittenPage", "write_page"]
