"""A report as PDF/UA-1 by typst: a wheel, no system library, no browser; the same bytes for the same report.

Typst refuses to compile where a picture lacks its alternative text or the document its title. Needs the extra `pdf`.
"""

import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

from triage.libraries import typst
from triage.report import charts
from triage.report.blocks import Charts, Report, Tiles

MEDIA_TYPE: Final = "application/pdf"
TEMPLATE: Final = Path(__file__).with_name("report.typ")
CHART_WIDTH: Final = 330
"""Pixels, of which one is three quarters of a point: two charts fit side by side on A4."""
TILE_WIDTH: Final = 120


@cache
def is_installed() -> bool:
    """Whether PDFs can be made here."""
    return find_spec("typst") is not None


def make(report: Report) -> bytes:
    """The report as a tagged PDF, in the font that comes with typst: no machine's own changes the bytes.

    Blocks its thread for about a tenth of a second.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "report.json").write_bytes(msgspec.json.encode(_drawn(report)))
        (Path(folder) / "report.typ").write_bytes(TEMPLATE.read_bytes())
        document: bytes = typst.compile(
            f"{folder}/report.typ", root=folder, pdf_standards=["ua-1"], ignore_system_fonts=True
        )
    return document


def _drawn(report: Report) -> dict[str, Any]:
    """The report as JSON, with its charts as pictures."""
    content: dict[str, Any] = msgspec.to_builtins(report)
    for block, plain in zip(report.blocks, content["blocks"], strict=True):
        match block:
            case Charts():
                for item, drawn in zip(block.items, plain["items"], strict=True):
                    picture = charts.run_chart(
                        item.name, item.title, item.chart, item.said, unit=item.unit, width=CHART_WIDTH
                    )
                    drawn["svg"] = str(picture)
                    del drawn["chart"]
            case Tiles():
                for tile, drawn in zip(block.items, plain["items"], strict=True):
                    drawn["svg"] = str(charts.spark(tile.weeks, width=TILE_WIDTH)) if tile.weeks else ""
    return content
