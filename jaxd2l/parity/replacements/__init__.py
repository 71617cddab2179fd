"""What a port may have done instead: for each call of a torch program, changes that are tried, family by family."""

from collections.abc import Callable, Iterable, Iterator

from jaxd2l.parity.replacements.activations import activations
from jaxd2l.parity.replacements.arithmetic import arithmetic
from jaxd2l.parity.replacements.attention import attention
from jaxd2l.parity.replacements.convolutions import convolutions
from jaxd2l.parity.replacements.distances import distances
from jaxd2l.parity.replacements.dropout import dropout
from jaxd2l.parity.replacements.embeddings import embeddings
from jaxd2l.parity.replacements.gradients import gradients
from jaxd2l.parity.replacements.layout import inputs_turned, layout
from jaxd2l.parity.replacements.losses import losses
from jaxd2l.parity.replacements.norms import norms
from jaxd2l.parity.replacements.parts import parts
from jaxd2l.parity.replacements.pooling import pooling
from jaxd2l.parity.replacements.recurrent import recurrent
from jaxd2l.parity.replacements.resizing import resizing
from jaxd2l.parity.replacements.rotary import rotary
from jaxd2l.parity.replacements.sites import Candidate, Program, Site
from jaxd2l.parity.replacements.structure import structure
from jaxd2l.parity.replacements.watching import changed, record
from jaxd2l.parity.replacements.weight_norms import weight_norms
from jaxd2l.parity.replacements.written_attention import written_attention
from jaxd2l.parity.replacements.written_norms import written_norms

__all__ = ["OF_GRADIENTS", "OF_VALUES", "Candidate", "Program", "Site", "candidates", "changed", "record"]

Family = Callable[[Site, Program], Iterator[Candidate]]

OF_VALUES: tuple[Family, ...] = (
    norms, written_norms, weight_norms, activations, convolutions, pooling, rotary, layout, parts, attention,
    written_attention, recurrent, resizing, embeddings, distances, losses, dropout, structure, inputs_turned,
    arithmetic,
)  # fmt: skip
"""From changes with a meaning to those that may stand for several."""

OF_GRADIENTS: tuple[Family, ...] = (gradients,)


_NEAR = 8
"""Calls next to where two programs part: the same change at all calls like these is tried before far ones."""


def candidates(program: Program, families: tuple[Family, ...], first: int = 0) -> Iterator[Candidate]:
    """Each change at each call alone, and at all calls of the kind, from the nearest to the farthest.

    Args:
      program: the calls.
      families: what is tried.
      first: the number of the call at which the two programs seem to part; the search begins there.
    """
    sites = sorted(program.sites.values(), key=lambda site: abs(site.number - first))
    listed = [(site, one) for site in sites for family in families for one in family(site, program)]
    near = {site.number for site in sites[:_NEAR]}
    together = list(_everywhere(listed, program))
    yield from (one for site, one in listed if site.number in near)
    yield from (one for numbers, one in together if near & numbers)
    yield from (one for site, one in listed if site.number not in near)
    yield from (one for numbers, one in together if not near & numbers)


def _everywhere(
    listed: Iterable[tuple[Site, Candidate]], program: Program
) -> Iterator[tuple[frozenset[int], Candidate]]:
    """One change at all calls, and at all calls that come after the same operation; each with the calls' numbers."""
    groups: dict[str, list[tuple[Site, Candidate]]] = {}
    for site, one in listed:
        kind = _kind(one.hint)
        before = " and ".join(program.sites[n].name for n in site.sources)
        for words in (f"{kind} (everywhere", f"{kind} (after each {before}"):
            groups.setdefault(words, []).append((site, one))
    seen = set()
    for words, same in groups.items():
        changes = {number: change for _, one in same for number, change in one.changes.items()}
        what = (_kind(same[0][1].hint), frozenset(changes))
        if len(same) > 1 and len(changes) == sum(len(one.changes) for _, one in same) and what not in seen:
            seen.add(what)
            numbers = frozenset(site.number for site, _ in same)
            yield numbers, Candidate(f"{words}: {len(same)} times)", changes, same[0][1].rank)


def _kind(hint: str) -> str:
    """A hint without the place in its last brackets."""
    return hint.rpartition(" (")[0] if hint.endswith(")") else hint
