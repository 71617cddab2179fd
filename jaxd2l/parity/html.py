"""A report as one page: HTML and SVG, no scripts, nothing loaded from anywhere; legible in print and in grey."""

import math
from collections.abc import Sequence
from html import escape

from jaxd2l.parity.report import HEADINGS, Report, cells
from jaxd2l.parity.rule import ULP_EDGES, Row, holds

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #111; background: #fff; max-width: 76em; margin: 2em auto;
       padding: 0 1.2em; }
h1 { margin-bottom: .2em; } h2 { margin: 2em 0 .4em; }
.verdict { font-size: 1.25em; font-weight: 600; border-left: .4em solid; padding-left: .6em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: .28em .6em; border-bottom: 1px solid #ccc; vertical-align: top; }
th { border-bottom: 2px solid #111; white-space: nowrap; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.word { white-space: nowrap; } td.q { min-width: 15em; } td.hint { min-width: 16em; }
tr.fails td, tr.follows td { background: #eee; } tr.fails td { font-weight: 600; }
tr.fails td:first-child { border-left: .35em solid #111; } tr.follows td:first-child { border-left: .35em solid #999; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #111; }
figure { margin: 1em 0; } figcaption { max-width: 60em; }
dl { display: grid; grid-template-columns: max-content auto; gap: .15em 1.2em; } dd { margin: 0; }
p { max-width: 60em; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } }
"""

_STROKES = (("#000", "", 2.0), ("#777", "", 2.0), ("#000", "7 4", 2.0), ("#555", "2 3", 1.6))


def page(report: Report) -> str:
    """The whole page as a string."""
    fails = len(report.failures)
    verdict = f"{fails} of {len(report.rows)} comparisons fail" if fails else f"All {len(report.rows)} comparisons hold"
    parts = [
        f"<h1>Parity with PyTorch</h1><p class=verdict>{verdict}.</p>",
        _first_cause(report),
        "<h2>Comparisons</h2><p>Errors are counted in condition-scaled ULPs: float64 or float32 roundings of what "
        "an operation combines. In float64 JAX is held against torch itself (at most 8); in float32 both are held "
        "against torch in float64, and JAX may err twice as much as torch, plus 4.</p>",
        _table(report.rows),
    ]
    if report.layers:
        parts += ["<h2>Layers</h2>", _layers(report)]
    if report.curves:
        parts += ["<h2>Training</h2>", _training(report)]
    parts += ["<h2>Errors of JAX, element by element</h2>", _histograms(report.rows)]
    if report.pairs:
        parts += ["<h2>Weights</h2>", _weights(report)]
    facts = "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in report.context.items())
    parts += [f"<h2>Context</h2><dl>{facts}</dl>"]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{verdict}: parity with PyTorch"
    body = "".join(parts)
    return (
        f"<!doctype html><html lang=en><head>{head}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _first_cause(report: Report) -> str:
    causes = [row for row in report.failures if row.hint and not row.hint.startswith("follows from")]
    lines = [f"First diverging layer: <b>{escape(report.first_diverging)}</b>."] if report.first_diverging else []
    lines += [f"{escape(q)}: <b>{escape(h)}</b>." for q, h in dict.fromkeys((row.quantity, row.hint) for row in causes)]
    return "".join(f"<p>{line}</p>" for line in lines)


def _table(rows: Sequence[Row]) -> str:
    kinds = ("", "word", "n", "n", "n", "n", "n", "word", "hint")
    head = "".join(f"<th class={kind or 'q'}>{h}</th>" for kind, h in zip(kinds, HEADINGS, strict=True))
    body = "".join(
        f"<tr class={_kind(row)}>"
        + "".join(f"<td class={kind or 'q'}>{escape(c)}</td>" for kind, c in zip(kinds, cells(row), strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _kind(row: Row) -> str:
    return "holds" if holds(row) else "follows" if row.hint.startswith("follows from") else "fails"


def _layers(report: Report) -> str:
    def state(name: str, row: Row | None) -> str:
        if row is not None and holds(row):
            return "found in JAX" + (", bit for bit" if row.verdict == "bitwise" else "")
        nearest = "nothing of its shape" if row is None else f"nearest: {row.jax_error:.3g} ULP away"
        return ("<b>first diverging</b>; " if name == report.first_diverging else "not found in JAX; ") + nearest

    lines = "".join(
        f"<tr class={'fails' if name == report.first_diverging else 'holds'}>"
        f"<td>{escape(name)}</td><td>{state(name, row)}</td></tr>"
        for name, row in report.layers
    )
    return (
        "<p>Each output of a torch layer was looked for, in float64, among all arrays that JAX computes on its way."
        "</p><div class=wide><table><thead><tr><th>torch layer</th><th>in JAX</th></tr></thead>"
        f"<tbody>{lines}</tbody></table></div>"
    )


def _training(report: Report) -> str:
    distances = {k.removeprefix("distance, "): v for k, v in report.curves.items() if k.startswith("distance")}
    losses = {k.removeprefix("loss, "): v for k, v in report.curves.items() if k.startswith("loss")}
    flips = sorted({flip.step + 1 for flip in report.flips if flip.side == "JAX"})
    marks = " Ticks at the top: steps at which JAX's float32 run takes another branch of a kink." if flips else ""
    parts = [
        _plot(distances, "relative L2 distance", flips, logarithmic=True),
        "Distance of each run's parameters from those of torch in float64. The perturbed runs are torch in float64 "
        f"with every operation put off by one float32 rounding: what any correct float32 run may do.{marks}",
        _plot(losses, "loss", (), logarithmic=False),
        "Loss of each step, before its update.",
    ]
    parts = [
        f"<figure>{plot}<figcaption>{caption}</figcaption></figure>"
        for plot, caption in zip(parts[::2], parts[1::2], strict=True)
    ]
    if report.flips:
        lines = "".join(
            f"<tr><td class=n>{f.step + 1}</td><td>{f.side}</td><td>{escape(f.kink)}</td>"
            f"<td>{', '.join(map(str, f.index))}</td><td class=n>{f.margin:.3g}</td></tr>"
            for f in report.flips[:40]
        )
        more = f"<p>{len(report.flips) - 40} more are in the JSON report.</p>" if len(report.flips) > 40 else ""
        parts.append(
            "<h3>Kink ledger</h3><p>Where a float32 run and its float64 twin lie on different sides of a kink; the "
            "margin is the float64 argument's distance from it, in float32 ULPs.</p><div class=wide><table><thead><tr>"
            "<th class=n>step</th><th>side</th><th>kink</th><th>element</th><th class=n>margin</th></tr></thead>"
            f"<tbody>{lines}</tbody></table></div>{more}"
        )
    return "".join(parts)


def _weights(report: Report) -> str:
    lines = "".join(f"<tr>{''.join(f'<td>{escape(part)}</td>' for part in p)}</tr>" for p in report.pairs)
    head = "<th>torch</th><th>JAX</th><th>orientation</th>"
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"


def _histograms(rows: Sequence[Row]) -> str:
    """One line of bars per row: share of elements per bin."""
    rows = [row for row in rows if sum(row.histogram)]
    left, cell, line, top = 330, 74, 26, 44
    width, height = left + cell * (len(ULP_EDGES) - 1) + 20, top + line * len(rows) + 10
    parts = [f"<text x={left} y=14>share of elements by error, in condition-scaled ULPs (numbers: elements)</text>"]
    for i, edge in enumerate(ULP_EDGES[:-1]):
        label = f"{edge:g}-{ULP_EDGES[i + 1]:g}" if math.isfinite(ULP_EDGES[i + 1]) else f"≥ {edge:g}"
        parts.append(f"<text x={left + cell * i + cell / 2} y=36 text-anchor=middle>{label}</text>")
    for j, row in enumerate(rows):
        base, total = top + line * (j + 1), sum(row.histogram)
        name = f"{row.quantity}, {'float64' if row.level == 'meaning' else 'float32'}"
        weight = "" if holds(row) else " font-weight=700"
        parts.append(f"<text x={left - 8} y={base - 7} text-anchor=end{weight}>{escape(_short(name))}</text>")
        parts.append(f"<line x1={left} y1={base} x2={width - 20} y2={base} stroke='#bbb' />")
        for i, count in enumerate(row.histogram):
            if count:
                size, x = (line - 6) * count / total, left + cell * i
                parts.append(f"<rect x={x + 2} y={base - size:.1f} width=10 height={size:.1f} fill='#444' />")
                parts.append(f"<text x={x + 16} y={base - 7}>{_count(count)}</text>")
    return f"<div class=wide>{_svg(width, height, parts)}</div>"


def _plot(curves: dict[str, list[float]], label: str, marks: Sequence[int], *, logarithmic: bool) -> str:
    """Lines over the steps, told apart by grey level and dashes and named beside their ends."""
    width, height, left, right, top, bottom = 900, 340, 82, 190, 18, 46
    shown = [v for curve in curves.values() for v in curve if math.isfinite(v) and (v > 0 or not logarithmic)]
    ticks = _decades(shown) if logarithmic else _round_numbers(shown)
    low, high = ticks[0][0], ticks[-1][0]
    steps = max(map(len, curves.values()), default=1)

    def x(step: int) -> float:
        return left + (width - left - right) * (step - 1) / max(steps - 1, 1)

    def y(value: float) -> float:
        part = math.log(high / value) / math.log(high / low) if logarithmic else (high - value) / (high - low)
        return top + (height - top - bottom) * part

    parts = []
    for value, text in ticks:
        parts.append(f"<line x1={left} y1={y(value):.1f} x2={width - right} y2={y(value):.1f} stroke='#ddd' />")
        parts.append(f"<text x={left - 6} y={y(value) + 4:.1f} text-anchor=end>{text}</text>")
    for step in sorted({round(1 + (steps - 1) * k / 5) for k in range(6)}):
        parts.append(f"<text x={x(step):.1f} y={height - bottom + 18} text-anchor=middle>{step}</text>")
    parts.append(f"<text x={(left + width - right) / 2} y={height - 8} text-anchor=middle>step</text>")
    middle = (top + height - bottom) / 2
    parts.append(f"<text x=14 y={middle} text-anchor=middle transform='rotate(-90 14 {middle})'>{escape(label)}</text>")
    parts += [f"<line x1={x(s):.1f} y1={top} x2={x(s):.1f} y2={top + 9} stroke='#000' />" for s in marks]
    ends = []
    for (name, curve), (colour, dashes, thick) in zip(curves.items(), _STROKES, strict=False):
        points = [(i + 1, v) for i, v in enumerate(curve) if math.isfinite(v) and (v > 0 or not logarithmic)]
        path = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in points)
        stroke = f"fill=none stroke='{colour}' stroke-width={thick} stroke-dasharray='{dashes}'"
        parts.append(f"<polyline points='{path}' {stroke} />")
        ends.append((y(points[-1][1]) if points else height - bottom, name, stroke))
    free = -math.inf
    for place, name, stroke in sorted(ends):  # names that would overlap move down
        free = max(place, free + 18)
        parts.append(f"<polyline points='{width - right + 8},{free:.1f} {width - right + 36},{free:.1f}' {stroke} />")
        parts.append(f"<text x={width - right + 42} y={free + 4:.1f}>{escape(name)}</text>")
    return _svg(width, height, parts)


def _decades(values: Sequence[float]) -> list[tuple[float, str]]:
    """Powers of ten around the values."""
    low, high = (min(values), max(values)) if values else (0.1, 1.0)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, (last - first + 7) // 8)
    powers = range(first, max(last, first + 1) + every, every)
    return [(10.0**p, _power(p)) for p in powers]


def _round_numbers(values: Sequence[float]) -> list[tuple[float, str]]:
    """Multiples of 1, 2 or 5 times a power of ten around the values."""
    low, high = (min(0.0, *values), max(values)) if values else (0.0, 1.0)
    rough = (high - low) / 5 or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    unit = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    return [(k * unit, f"{k * unit:g}") for k in range(math.floor(low / unit), math.ceil(high / unit) + 1)]


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    return f"<svg viewBox='0 0 {width} {height}' width={width} height={height} role=img>{''.join(parts)}</svg>"


def _power(power: int) -> str:
    return "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(c)] if c != "-" else "⁻" for c in str(power))


def _short(name: str, limit: int = 48) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def _count(count: int) -> str:
    return str(count) if count < 10000 else f"{count / 1000:.0f}k"
