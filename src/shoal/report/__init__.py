"""The report: results of studies as one self-contained HTML page.

`render` returns the page, `write_report` writes it, `draw` draws a single picture for other pages. Importing this
package imports neither torch nor altair.
"""

from shoal.report.page import render, write_report
from shoal.report.pictures import Drawing, draw

__all__ = ["Drawing", "draw", "render", "write_report"]
