"""A report as data: its words and figures exist once, and are set as a page and as a PDF."""

from msgspec import Struct

from triage.report.spc import ControlChart


class Block(Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """A part of a report."""


class Heading(Block, frozen=True, kw_only=True):
    """A heading of the second level; `anchor` names it in links, `page` begins a new page in print."""

    text: str
    anchor: str
    page: bool = False


class Paragraph(Block, frozen=True, kw_only=True):
    """A paragraph, in small print where it defines or qualifies."""

    text: str
    small: bool = False


class Callout(Block, frozen=True, kw_only=True):
    """A paragraph that nobody should pass over."""

    strong: str
    text: str


class KeyNumber(Struct, frozen=True, kw_only=True):
    """A number of the first page: its unit, what it says, and how sure that is. `line` names its figures."""

    number: str
    unit: str
    says: str
    sure: str
    line: str = ""


class KeyNumbers(Block, frozen=True, kw_only=True):
    """The numbers of the first page."""

    items: tuple[KeyNumber, ...]


class ChartItem(Struct, frozen=True, kw_only=True):
    """A run chart with the sentence under it. `unit` is empty or %."""

    name: str
    title: str
    said: str
    chart: ControlChart
    unit: str = ""


class Charts(Block, frozen=True, kw_only=True):
    """Run charts, two across. `legend`: the marks that they use, each a kind of mark and what it means."""

    items: tuple[ChartItem, ...]
    legend: tuple[tuple[str, str], ...] = ()


class TextCell(Struct, frozen=True, tag_field="kind", tag="text"):
    """Words or a figure. `line` names the line of a measure that the figure is."""

    text: str
    line: str = ""


class BarCell(Struct, frozen=True, tag_field="kind", tag="bar"):
    """A bar: a share of the longest."""

    value: float
    most: float


class IntervalCell(Struct, frozen=True, tag_field="kind", tag="interval"):
    """A percentage with its interval on a common scale that ends at `most`, everybody's at `mean`."""

    low: float
    percent: float
    high: float
    most: float
    mean: float | None


Cell = TextCell | BarCell | IntervalCell


class TableBlock(Struct, frozen=True, kw_only=True):
    """A table. `right` are the columns of numbers; `rest` is what was gathered in one line at its foot."""

    caption: str
    known: str = ""
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: tuple[int, ...] = ()
    rest: str = ""
    note: str = ""


class Tables(Block, frozen=True, kw_only=True):
    """Tables, so many across where there is room; folded on a page where `summary` is given."""

    across: int
    items: tuple[TableBlock, ...]
    summary: str = ""


class Tile(Struct, frozen=True, kw_only=True):
    """A reporting area: its incidents, and the weeks of the period as a line. `shade` 0 to 2. `total` None: hidden."""

    label: str
    total: int | None
    shade: int = 0
    weeks: tuple[int, ...] = ()
    line: str = ""


class Tiles(Block, frozen=True, kw_only=True):
    """Areas as tiles: no drawn map, because most of the areas have no published boundary."""

    items: tuple[Tile, ...]


class StackPart(Struct, frozen=True):
    """A part of a whole, with the class of its fill."""

    label: str
    value: int
    fill: str


class Stack(Block, frozen=True, kw_only=True):
    """One bar in parts, its legend with the figures below."""

    items: tuple[StackPart, ...]


class Definitions(Block, frozen=True, kw_only=True):
    """Definitions."""

    items: tuple[tuple[str, str], ...]


class Lines(Block, frozen=True, kw_only=True):
    """A list of sentences, folded on a page where `summary` is given."""

    items: tuple[str, ...]
    summary: str = ""


AnyBlock = Heading | Paragraph | Callout | KeyNumbers | Charts | Tables | Tiles | Stack | Definitions | Lines


class Report(Struct, frozen=True, kw_only=True):
    """A report: its title, what period it is of, where it comes from, and its parts in order.

    `footer` stands at the foot of every sheet; `protected`: it may be shown to anybody.
    """

    title: str
    period: str
    about: str
    footer: str
    blocks: tuple[AnyBlock, ...]
    protected: bool = False

    @property
    def anchors(self) -> frozenset[str]:
        """The names of its headings in links."""
        return frozenset(block.anchor for block in self.blocks if isinstance(block, Heading))
