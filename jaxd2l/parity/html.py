"""A report as one page: HTML and SVG, no scripts, nothing loaded from anywhere; legible in print and in grey."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from jaxd2l.parity import figures
from jaxd2l.parity.findings import Findings, LayerMatch
from jaxd2l.parity.rule import Row, holds
from jaxd2l.parity.wording import DETAILED_HEADINGS, LEGEND, detailed_cells, whereabouts

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #111; background: #fff; max-width: 76em; margin: 2em auto;
       padding: 0 1.2em; }
h1 { margin-bottom: .2em; } h2 { margin: 2em 0 .4em; }
.verdict { font-size: 1.25em; font-weight: 600; border-left: .4em solid #1a6b35; padding-left: .6em; }
.verdict.fails { border-color: #9b1c1c; }
.sides { display: flex; flex-wrap: wrap; gap: 1em; margin: 1em 0; }
.sides figure { flex: 1 1 24em; min-width: 0; margin: 0; border: 1px solid #999; padding: .6em .8em; }
pre { margin: .5em 0 0; padding: .5em; background: #f2f2f2; white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: .28em .6em; border-bottom: 1px solid #ccc; vertical-align: top; }
th { border-bottom: 2px solid #111; vertical-align: bottom; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } td.n, td.word { white-space: nowrap; }
td.q { min-width: 14em; overflow-wrap: anywhere; } td.q small { display: block; font-size: 1em; font-weight: 400; }
tr.fails td, tr.follows td { background: #fbeaea; } tr.fails td { font-weight: 600; }
tr.fails td.word { color: #9b1c1c; } tr.fails td:first-child { border-left: .35em solid #9b1c1c; }
tr.follows td:first-child { border-left: .35em solid #c98f8f; }
svg { max-width: 100%; height: auto; }
figure { margin: 1em 0; } figcaption { max-width: 60em; }
dl { display: grid; grid-template-columns: minmax(7em, max-content) auto; gap: .15em 1.2em; max-width: 72em; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40em) { dl { display: block; } dd { margin: 0 0 .4em; } body { margin: 1em auto; } }
p { max-width: 60em; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } }
"""

_SHOWN_FLIPS, _SHOWN_HISTOGRAMS = 40, 100


class Cell(NamedTuple):
    """A cell of a table with a note below its text."""

    text: str
    note: str


def page(found: Findings) -> str:
    """The whole page as a string."""
    fails = len(found.failures)
    verdict = f"{fails} of {len(found.rows)} comparisons fail" if fails else f"All {len(found.rows)} comparisons hold"
    parts = [
        f"<h1>Parity with PyTorch</h1><p class='verdict {'fails' if fails else ''}'>{verdict}.</p>",
        _where(found),
        _causes(found),
        _not_seen(found),
        "<h2>Comparisons</h2>",
        _comparisons(found.rows),
        f"<h2>How to read it</h2>{_definitions(LEGEND)}",
    ]
    if found.layers:
        parts += ["<h2>Layers</h2>", _layers(found)]
    if found.traces:
        parts += ["<h2>Training</h2>", _training(found)]
    if rows := [row for row in found.rows if sum(row.histogram)]:
        parts += ["<h2>Errors of JAX, element by element</h2>", _histograms(rows)]
    if found.pairs:
        parts += ["<h2>Weights</h2>", _table(("torch", "JAX", "orientation"), found.pairs)]
    parts += ["<h2>Context</h2>", _definitions(found.context)]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{verdict}: parity with PyTorch"
    body = "".join(parts)
    return (
        f"<!doctype html><html lang=en><head>{head}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _where(found: Findings) -> str:
    """The lines of source at which the two programs part: what to look at first."""
    first = f"<p>First diverging layer: <b>{escape(found.first_diverging)}</b>.</p>" if found.first_diverging else ""
    sides = [
        f"<figure><figcaption><b>{side}</b> {escape(what)} at <b>{escape(place)}</b></figcaption>"
        f"<pre>{escape(code)}</pre></figure>"
        for side, what, place, code in whereabouts(found.where)
    ]
    return first + (f"<div class=sides>{''.join(sides)}</div>" if sides else "")


def _not_seen(found: Findings) -> str:
    lines = [f"Not looked at: {escape(sentence)}." for sentence in found.unseen]
    lines += [f"Not tried by this batch: {escape(sentence)}." for sentence in found.coverage]
    return "".join(f"<p>{line}</p>" for line in lines)


def _causes(found: Findings) -> str:
    """Failures that follow from no other, with their hints."""
    lines: list[str] = []
    causes = [(row.quantity, row.hint) for row in found.failures if row.hint and not row.follows_from]
    lines += [f"{escape(quantity)}: <b>{escape(hint)}</b>." for quantity, hint in dict.fromkeys(causes)]
    return "".join(f"<p>{line}</p>" for line in lines)


def _comparisons(rows: Sequence[Row]) -> str:
    """The hint stands below the quantity, in the column that is always in sight."""
    kinds = ("q", "word", "", *["n"] * 7)
    states = ["holds" if holds(row) else "follows" if row.follows_from else "fails" for row in rows]
    marks = {"holds": "\u2713", "follows": "\u21b3", "fails": "\u2717"}
    lines: list[Sequence[str | Cell]] = [
        (Cell(quantity, hint), f"{marks[state]} {verdict}", *numbers)
        for state, (quantity, *numbers, verdict, hint) in zip(states, map(detailed_cells, rows), strict=True)
    ]
    first, *rest, verdict, _ = DETAILED_HEADINGS
    return (
        "<p>\u2713 holds, \u2717 fails, \u21b3 fails because another one does. Errors are counted in roundings: a "
        "rounding is the last digit that the precision holds.</p>"
        + _table((first, verdict, *rest), lines, kinds, states)
    )


def _layers(found: Findings) -> str:
    def state(match: LayerMatch) -> str:
        if match.nearest is not None and holds(match.nearest):
            return "found in JAX" + (", bit for bit" if match.nearest.verdict == "bitwise" else "")
        what = "first diverging" if match.layer == found.first_diverging else "not found in JAX"
        if match.nearest is None:
            return f"{what}; JAX computes nothing of its shape"
        return f"{what}; nearest: {match.nearest.jax_error:.3g} ULP away"

    states = ["fails" if match.layer == found.first_diverging else "holds" for match in found.layers]
    rows = [(match.layer, state(match)) for match in found.layers]
    return (
        "<p>The output of each torch layer was looked for, in float64, among all arrays that JAX computes on the way. "
        "One that is missing while a later one made of it is found was only computed in another way.</p>"
        f"{_table(('torch layer', 'in JAX'), rows, states=states)}"
    )


def _training(found: Findings) -> str:
    marks = sorted({flip.step + 1 for flip in found.flips if flip.side == "JAX"})
    ticks = " Ticks at the top: steps in which JAX's float32 run takes another branch at a kink." if marks else ""
    return (
        f"<figure>{figures.distances(found.traces, marks)}<figcaption>Distance of each run's parameters from those of "
        "torch in float64. The perturbed runs are torch in float64 with every operation off by one float32 "
        f"rounding, as in any correct float32 run.{ticks}</figcaption></figure>"
        f"<figure>{figures.losses(found.traces)}<figcaption>Loss of each step, before its update."
        "</figcaption></figure>" + (_flips(found) if found.flips else "")
    )


def _flips(found: Findings) -> str:
    rows = [
        (str(f.step + 1), f.side, f.kink, ", ".join(map(str, f.index)), f"{f.margin:.3g}")
        for f in found.flips[:_SHOWN_FLIPS]
    ]
    more = len(found.flips) - _SHOWN_FLIPS
    return (
        "<h3>Branches that rounding turned</h3><p>Here a float32 run and its float64 twin lie on different sides of a "
        "kink. The margin is the distance of the float64 argument from the kink, in float32 ULPs.</p>"
        + _table(("step", "side", "kink", "element", "margin"), rows, ("n", "", "", "", "n"))
        + (f"<p>{more} more are in the JSON found.</p>" if more > 0 else "")
    )


def _histograms(rows: Sequence[Row]) -> str:
    shown, more = list(rows), len(rows) - _SHOWN_HISTOGRAMS
    if more > 0:
        largest = sorted(rows, key=lambda row: row.jax_error / row.bound)[more:]
        shown = [row for row in rows if row in largest]
    note = f"<p>The {_SHOWN_HISTOGRAMS} largest errors by their bound; {more} more rows are in the JSON report.</p>"
    return f"{note if more > 0 else ''}<div class=wide>{figures.histograms(shown)}</div>"


def _table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    kinds: Sequence[str] | None = None,
    states: Sequence[str] | None = None,
) -> str:
    """An HTML table. `kinds` are the classes of the columns, `states` those of the rows."""
    kinds, rows = kinds or [""] * len(headings), list(rows)
    states = states or [""] * len(rows)
    head = "".join(f"<th class='{kind}'>{escape(h)}</th>" for kind, h in zip(kinds, headings, strict=True))
    body = "".join(
        f"<tr class='{state}'>"
        + "".join(f"<td class='{kind}'>{_cell(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for state, row in zip(states, rows, strict=True)
    )
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    return escape(cell.text) + (f"<small>{escape(cell.note)}</small>" if cell.note else "")


def _definitions(entries: Mapping[str, Any]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>' for k, v in entries.items())}</dl>"
