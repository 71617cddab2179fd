"""Rotary positions: pairs of neighbours for halves, another sign, sine for cosine."""

from collections.abc import Iterator
from typing import Any

import torch

from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, of_earlier, together


def rotary(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried where halves or pairs of features are turned: `cat((-b, a))`, or `stack` of them."""
    found = _turned(site, program)
    if found is None:
        return
    source, first = found
    for way, function in (("pairs of neighbours (interleaved)", _pairs), ("halves", _halves)):
        if (way == "halves") != first:
            hint = f"rotary positions: JAX turns {way}, torch {'halves' if first else 'pairs'}"
            rotated = of_earlier(site, source, 0, function)
            yield together(site, hint, rotated)
            if tables := _tables(site, source.args[0], program, first):
                yield together(site, f"{hint}, and its tables of angles are so, too", rotated | tables)


def _turned(site: Site, program: Program) -> tuple[Site, bool] | None:
    """The call whose first argument is turned, and whether by halves."""
    parts = list(site.args[0]) if site.args and isinstance(site.args[0], tuple | list) else []
    if site.name not in ("cat", "stack") or len(parts) != 2:
        return None
    made = {id(program.sites[n].output): program.sites[n] for n in site.sources}
    minus = made.get(id(parts[0]))
    if minus is None or minus.name != "neg":
        return None
    taken = next(iter(program.before(minus, 1)), None)
    return (taken, site.name == "cat") if taken is not None and isinstance(taken.args[0], torch.Tensor) else None


def _pairs(x: torch.Tensor) -> torch.Tensor:
    return torch.stack((-x[..., 1::2], x[..., ::2]), -1).flatten(-2)


def _halves(x: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat((-b, a), -1)


def _tables(site: Site, turned: torch.Tensor, program: Program, halves: bool) -> dict[int, Change]:
    """Changes of the two products with cosines and sines, whose tables are then interleaved, or in halves."""

    def moved(table: torch.Tensor) -> torch.Tensor:
        n = table.shape[-1] // 2
        return table[..., :n].repeat_interleave(2, -1) if halves else torch.cat((table[..., ::2],) * 2, -1)

    times = program.follows(site, frozenset(("mul",)), frozenset(("flatten", "reshape")))
    total = program.follows(times, frozenset(("add",)), frozenset()) if times is not None else None
    if times is None or total is None:
        return {}
    products = [s for s in program.before(total, 1) if s.name == "mul"]
    after = {site.number, *(s.number for s in program.before(times) if site.number in _numbers(program.before(s)))}
    changes: dict[int, Change] = {}
    for product in products:
        made = {id(program.sites[n].output): n for n in product.sources}
        position = next(
            (i for i, x in enumerate(product.args[:2]) if x is not turned and made.get(id(x)) not in after), None
        )
        if position is not None:

            def change(*args: Any, _p: int = position, **kwargs: Any) -> torch.Tensor:
                return args[1 - _p] * moved(args[_p])

            changes[product.number] = change
    return changes


def _numbers(sites: Iterator[Site]) -> set[int]:
    return {s.number for s in sites}
