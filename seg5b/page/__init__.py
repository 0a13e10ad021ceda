"""The report of a run as one HTML page that needs nothing else: numbers come from SQL, the browser draws them.

`facts/` measures, a subject per file; `measured` holds a scenario's facts; `figures/` says of them what is to be seen, as
specifications of Vega-Lite (`charts`); `judged` and `html` put words and tables around; ``report.js`` draws, with the library
in ``data/``; `report` writes the page.
"""

from seg5b.page.report import WrittenPage, write_page

__all__ = ["WrittenPage", "write_page"]
