"""What was measured at each step: `metrics.jsonl`, and a plot of it that any browser shows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

FILE, PLOT = "metrics.jsonl", "loss.svg"
WIDTH, HEIGHT, MARGIN = 720, 320, 48


class MetricsLog:
    """A training's `metrics.jsonl`: one object a line, `step` and what was measured there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rewind(self, step: int) -> None:
        """Forget what came after a checkpoint's step: those steps are taken again. Also a line that was cut off."""
        kept = [row for row in read_metrics(self._path) if row["step"] <= step]
        self._path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")

    def add(self, step: int, values: dict[str, float]) -> None:
        """Add what was measured at a step; what is no number is left out."""
        row = {"step": step} | {k: v for k, v in values.items() if math.isfinite(v)}
        with self._path.open("ab", buffering=0) as f:
            f.write((json.dumps(row) + "\n").encode())


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl; empty without one, and without the line that a killed process left half-written."""
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def plot(rows: list[dict[str, Any]]) -> str:
    """An SVG of the losses over the steps: a line for the training's, dots joined for the held-out examples'."""
    series = {name: [(r["step"], r[name]) for r in rows if name in r] for name in ("loss", "eval_loss")}
    points = [p for s in series.values() for p in s]
    if not points:
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"/>\n'
    steps, losses = [p[0] for p in points], [p[1] for p in points]
    low, high = min(0.0, *losses), max(losses)
    last = max(*steps, 2)

    def at(step: float, loss: float) -> str:
        x = MARGIN + (step - 1) / (last - 1) * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - (loss - low) / ((high - low) or 1) * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    drawn = []
    for (name, found), colour in zip(series.items(), ("#2563eb", "#dc2626"), strict=True):
        line = " ".join(at(*p) for p in found)
        drawn.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{line}"/>')
        if name == "eval_loss":
            for x, y in (at(*p).split(",") for p in found):
                drawn.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
    bottom, right = HEIGHT - MARGIN, WIDTH - MARGIN
    labels = (
        f'<text x="{MARGIN}" y="{MARGIN - 12}">loss <tspan fill="#dc2626">held-out loss</tspan></text>'
        f'<text x="4" y="{MARGIN}">{high:.2f}</text><text x="4" y="{bottom}">{low:.2f}</text>'
        f'<text x="{MARGIN}" y="{bottom + 18}">1</text><text x="{right - 24}" y="{bottom + 18}">{max(steps)}</text>'
    )
    axes = f'<path d="M{MARGIN} {MARGIN}V{bottom}H{right}" fill="none" stroke="#6b7280"/>'
    style = '<g font-family="sans-serif" font-size="12" fill="#2563eb">'
    body = axes + style + labels + "".join(drawn) + "</g>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{body}</svg>\n'
