"""Characters with places -> lines in reading order: columns, vertical text, turned text, ruby, text nobody sees.

Everything is done in an upright frame, in which lines run to the right and follow each other downwards: turned text is
turned back, and vertical Japanese (downwards, lines from right to left) is turned by a quarter, which makes it the same
case, ruby above its base included.

A page is split into columns where a gap runs through enough lines that are nearly full: a table's cells are not full, and
its rows are read across. Lines that cross the gap (titles, wide figures' captions) separate the bands above and below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from lorag_indexer.glyphs import Glyph
from lorag_indexer.normalize import CJK

RUBY_SIZE = 0.7
_RUBY = re.compile(r"[\u3041-\u30ff]+")
_KANJI = re.compile(r"[\u3005\u3400-\u9fff\uf900-\ufaff]")
_WIDE = re.compile(rf"[{CJK}\u3000-\u303f\uff01-\uff65]")
_COLUMN_LINES = 3
_TABLE_ROWS = 3
_MOSTLY = 0.7
_COLUMN_CHARACTERS = 8
_FULL = 0.6
_CROSSING = 0.34
# Above this a page is a drawing or an attack; its text is taken in the order of its content.
MOST_RUNS = 6000


@dataclass
class Run:
    """Neighbouring characters of one line, with their box in the upright frame."""

    glyphs: list[Glyph]
    left: float
    bottom: float
    right: float
    top: float
    size: float
    place: int = 0
    """In the order of the content."""

    @property
    def middle(self) -> float:
        """Height of the line's middle."""
        return (self.bottom + self.top) / 2

    @property
    def text(self) -> str:
        """Its characters."""
        return "".join(g.char for g in self.glyphs)


@dataclass(frozen=True)
class Layout:
    """A page's lines in reading order.

    Attributes:
        lines: each a list of characters; a string stands for a space that the page shows but does not hold, and a tab for
            the gap between two cells of a row.
        notes: what was found that the order of the content does not tell.
        left_out: ruby and unseen characters.
        vertical: whether the lines run downwards as the page is drawn upright.
    """

    lines: list[list[Glyph | str]]
    notes: tuple[str, ...] = ()
    left_out: int = 0
    vertical: bool = False

    @property
    def text(self) -> str:
        """The lines as text."""
        return "\n".join("".join(g if isinstance(g, str) else g.char for g in line) for line in self.lines)


@dataclass
class _Notes:
    found: list[str] = field(default_factory=list)

    def add(self, note: str) -> None:
        if note not in self.found:
            self.found.append(note)


def arrange(glyphs: Sequence[Glyph], scanned: bool = False) -> Layout:
    """Put a page's characters in reading order.

    Args:
        glyphs: in the order of the content.
        scanned: whether an image covers the page, so that invisible text is the text layer of a scan and meant.
    """
    notes = _Notes()
    seen = [g for g in glyphs if not g.unseen or (scanned and g.unseen == "invisible")]
    for reason in dict.fromkeys(g.unseen for g in glyphs if g.unseen and not g.char.isspace()):
        if scanned and reason == "invisible":
            notes.add("text layer of a scan")
        else:
            notes.add(f"text that cannot be seen left out ({reason})")
    unseen = sum(1 for g in glyphs if not g.char.isspace()) - sum(1 for g in seen if not g.char.isspace())
    if not any(not g.char.isspace() for g in seen):
        return Layout([], tuple(notes.found), unseen)
    quarter = Counter(g.quarter for g in seen).most_common(1)[0][0]
    vertical = _is_vertical([g for g in seen if g.quarter == quarter], quarter)
    if quarter:
        notes.add(f"text turned by {90 * quarter} degrees")
    frame = (quarter + 3) % 4 if vertical else quarter
    runs = _runs(seen, frame)
    if len(runs) > MOST_RUNS:
        return Layout([[*run.glyphs] for run in runs], tuple(notes.found), unseen, vertical)
    base, ruby = _without_ruby(runs)
    if ruby:
        notes.add("ruby left out")
    segments = _segments(base)
    ordered = _in_order(segments, notes, 0)
    if vertical:
        notes.add("vertical text")
    lines = [_spaced(row) for row in ordered]
    return Layout([x for x in lines if x], tuple(notes.found), unseen + sum(len(r.glyphs) for r in ruby), vertical)


def framed(glyph: Glyph, quarter: int) -> tuple[float, float, float, float]:
    """A glyph's left, bottom, right, top after the page is turned back by `quarter` quarter turns."""
    if quarter == 1:
        return glyph.bottom, -glyph.right, glyph.top, -glyph.left
    if quarter == 2:
        return -glyph.right, -glyph.top, -glyph.left, -glyph.bottom
    if quarter == 3:
        return -glyph.top, glyph.left, -glyph.bottom, glyph.right
    return glyph.left, glyph.bottom, glyph.right, glyph.top


def _is_vertical(glyphs: list[Glyph], quarter: int) -> bool:
    stacked = beside = 0
    for a, b in pairwise(glyphs):
        al, ab, ar, at = framed(a, quarter)
        bl, bb, br, bt = framed(b, quarter)
        size = max(a.size, b.size, 0.1)
        across, down = (bl + br - al - ar) / 2, (ab + at - bb - bt) / 2
        if abs(across) < 0.3 * size and 0.6 * size < down < 1.6 * size and _WIDE.match(a.char):
            stacked += 1
        elif abs(down) < 0.3 * size and 0 < across < 2 * size:
            beside += 1
    return stacked > beside


def _runs(glyphs: Iterable[Glyph], frame: int) -> list[Run]:
    runs: list[Run] = []
    for glyph in glyphs:
        left, bottom, right, top = framed(glyph, frame)
        size = glyph.size or (top - bottom)
        if runs:
            run = runs[-1]
            level = abs((bottom + top) / 2 - run.middle) < 0.3 * max(size, run.size)
            near = -0.5 * size <= left - run.right <= 1.0 * size
            if level and near and 0.8 < (size + 0.01) / (run.size + 0.01) < 1.25:
                run.glyphs.append(glyph)
                run.left, run.right = min(run.left, left), max(run.right, right)
                run.bottom, run.top = min(run.bottom, bottom), max(run.top, top)
                continue
        if not glyph.char.isspace():
            runs.append(Run([glyph], left, bottom, right, top, size, len(runs)))
    return runs


def _without_ruby(runs: list[Run]) -> tuple[list[Run], list[Run]]:
    """Small kana right above kanji are how to read them, and no part of the sentence."""
    usual = median(run.size for run in runs for _ in run.glyphs)
    small = [r for r in runs if r.size <= RUBY_SIZE * usual and _RUBY.fullmatch("".join(r.text.split()))]
    if not small:
        return runs, []
    bases = [r for r in runs if r.size > RUBY_SIZE * usual and _KANJI.search(r.text)]
    ruby = [r for r in small if any(_reads(r, b) for b in bases)]
    known = {id(r) for r in ruby}
    return [r for r in runs if id(r) not in known], ruby


def _reads(ruby: Run, base: Run) -> bool:
    beside = base.left - base.size <= (ruby.left + ruby.right) / 2 <= base.right + base.size
    above = base.middle < ruby.middle and ruby.bottom <= base.top + 0.6 * base.size
    return beside and above and ruby.size <= RUBY_SIZE * base.size + 0.01


def _segments(runs: list[Run]) -> list[Run]:
    """Join runs of one line that stand close together, whatever their order in the content."""
    pitch = max(0.1, median(r.size for r in runs))
    levels: dict[int, list[Run]] = {}
    out: list[Run] = []
    for run in sorted(runs, key=lambda r: r.left):
        level = int(run.middle // pitch)
        for other in (s for n in (level, level - 1, level + 1) for s in levels.get(n, ())):
            size = max(run.size, other.size)
            if abs(run.middle - other.middle) < 0.4 * size and -0.3 * size <= run.left - other.right <= 1.0 * size:
                other.glyphs = other.glyphs + run.glyphs
                other.right, other.size = max(other.right, run.right), max(other.size, run.size)
                other.bottom, other.top = min(other.bottom, run.bottom), max(other.top, run.top)
                other.place = min(other.place, run.place)
                break
        else:
            merged = Run([*run.glyphs], run.left, run.bottom, run.right, run.top, run.size, run.place)
            levels.setdefault(level, []).append(merged)
            out.append(merged)
    return out


def _in_order(segments: list[Run], notes: _Notes, depth: int) -> list[list[Run]]:
    """Rows in reading order, each of segments from left to right."""
    gap = _gap(segments) if depth < 3 else None
    if gap is None:
        rows = _rows(segments)
        if all(len(row) == 1 for row in rows):
            return rows
        # Cells of a table or narrow columns? Whoever drew the page knew, and drew what belongs together together.
        drawn = sorted(segments, key=lambda s: s.place)
        across = [s.place for row in rows for s in row]
        if _rising(across) < _MOSTLY and _rising([-s.middle for s in drawn]) >= _MOSTLY:
            return [[s] for s in drawn]
        if sum(len(row) > 1 for row in rows) >= _TABLE_ROWS:
            notes.add("rows of a table")
        return rows
    notes.add("columns")
    middle = gap
    crossing = sorted((s for s in segments if s.left < middle < s.right), key=lambda s: -s.middle)
    out: list[list[Run]] = []
    rest = [s for s in segments if not s.left < middle < s.right]
    for line in [*crossing, None]:
        above = [s for s in rest if line is None or s.middle > line.middle]
        rest = [s for s in rest if line is not None and s.middle <= line.middle]
        left, right = [s for s in above if s.right <= middle], [s for s in above if s.left >= middle]
        out += _in_order(left, notes, depth + 1) if left else []
        out += _in_order(right, notes, depth + 1) if right else []
        if line is not None:
            out.append([line])
    return out


def _rising(values: Sequence[float]) -> float:
    """Share of neighbours that rise."""
    pairs = list(pairwise(values))
    return sum(a < b for a, b in pairs) / len(pairs) if pairs else 1.0


def _gap(segments: list[Run]) -> float | None:
    """Where a gap between two columns runs; None when there is none."""
    if len(segments) < 2 * _COLUMN_LINES:
        return None
    low, high = min(s.left for s in segments), max(s.right for s in segments)
    size = median(s.size for s in segments)
    best: tuple[int, float] | None = None
    for place in sorted({s.left for s in segments}):
        middle = place - 0.4 * size
        if not low + 0.15 * (high - low) < middle < high - 0.15 * (high - low):
            continue
        crossing = sum(s.left < middle < s.right for s in segments)
        if crossing > _CROSSING * len(segments) or (best and crossing >= best[0]):
            continue
        left, right = [s for s in segments if s.right <= middle], [s for s in segments if s.left >= middle]
        if _is_column(left) and _is_column(right) and _side_by_side(left, right):
            best = (crossing, middle)
    return best[1] if best else None


def _is_column(segments: list[Run]) -> bool:
    rows = _rows(segments)
    if len(rows) < _COLUMN_LINES:
        return False
    extent = max(s.right for s in segments) - min(s.left for s in segments)
    size = median(s.size for s in segments)
    widths = sorted(max(s.right for s in row) - min(s.left for s in row) for row in rows)
    return extent >= _COLUMN_CHARACTERS * size and widths[len(widths) // 2] >= _FULL * extent


def _side_by_side(left: list[Run], right: list[Run]) -> bool:
    tops = min(max(s.top for s in left), max(s.top for s in right))
    bottoms = max(min(s.bottom for s in left), min(s.bottom for s in right))
    lower = min(max(s.top for s in side) - min(s.bottom for s in side) for side in (left, right))
    return tops - bottoms >= 0.4 * lower


def _rows(segments: list[Run]) -> list[list[Run]]:
    rows: list[list[Run]] = []
    for segment in sorted(segments, key=lambda s: (-s.middle, s.left)):
        if rows and abs(rows[-1][0].middle - segment.middle) < 0.4 * max(segment.size, rows[-1][0].size):
            rows[-1].append(segment)
        else:
            rows.append([segment])
    return [sorted(row, key=lambda s: s.left) for row in rows]


def _spaced(row: list[Run]) -> list[Glyph | str]:
    """The characters of a row, with the spaces that its gaps stand for."""
    line: list[Glyph | str] = []
    for n, segment in enumerate(row):
        if n:
            line.append("\t")
        before: Glyph | None = None
        for glyph in segment.glyphs:
            if before is not None and _gap_between(before, glyph):
                line.append(" ")
            line.append(glyph)
            before = glyph
    return line


def _gap_between(a: Glyph, b: Glyph) -> bool:
    if a.char.isspace() or b.char.isspace() or (_WIDE.match(a.char) and _WIDE.match(b.char)):
        return False
    apart = max(b.left - a.right, a.left - b.right, b.bottom - a.top, a.bottom - b.top)
    return apart > 0.2 * max(a.size, b.size)
