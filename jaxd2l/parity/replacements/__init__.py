"""What a port may have done instead: for each call of a torch program, changes that are tried, family by family."""

from collections.abc import Callable, Iterator

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
from jaxd2l.parity.replacements.written_attention import written_attention
from jaxd2l.parity.replacements.written_norms import written_norms

__all__ = ["OF_GRADIENTS", "OF_VALUES", "Candidate", "Program", "Site", "candidates", "changed", "record"]

Family = Callable[[Site, Program], Iterator[Candidate]]

OF_VALUES: tuple[Family, ...] = (
    norms, written_norms, activations, convolutions, pooling, rotary, layout, parts, attention, written_attention,
    recurrent, resizing, embeddings, distances, losses, dropout, structure, inputs_turned, arithmetic,
)  # fmt: skip
"""From changes with a meaning to those that may stand for several."""

OF_GRADIENTS: tuple[Family, ...] = (gradients,)


def candidates(program: Program, families: tuple[Family, ...], first: int = 0) -> Iterator[Candidate]:
    """Each change at each call alone, then at all calls of the kind.

    Args:
      program: the calls.
      families: what is tried.
      first: the number of the call at which the two programs seem to part; the search begins there.
    """
    everywhere: dict[str, list[Candidate]] = {}
    for site in sorted(program.sites.values(), key=lambda site: abs(site.number - first)):
        for family in families:
            for candidate in family(site, program):
                everywhere.setdefault(_kind(candidate.hint), []).append(candidate)
                yield candidate
    for kind, same in everywhere.items():
        if len(same) > 1:
            changes = {number: change for one in same for number, change in one.changes.items()}
            if len(changes) == sum(len(one.changes) for one in same):
                yield Candidate(f"{kind} (everywhere: {len(same)} times)", changes, same[0].rank)


def _kind(hint: str) -> str:
    """A hint without the place in its last brackets."""
    return hint.rpartition(" (")[0] if hint.endswith(")") else hint
