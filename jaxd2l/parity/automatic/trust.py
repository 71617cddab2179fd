"""Pairings of layers that contradict each other, or the names, and so are not to be trusted."""

from collections import defaultdict
from collections.abc import Mapping

from jaxd2l.parity.automatic.matching import Pairing, Pattern
from jaxd2l.parity.automatic.names import Tokens, numbers, pattern, words


def crossed(pairings: list[Pairing]) -> set[int]:
    """Torch's layers whose pairing by number cannot be trusted.

    The layers of two families that are paired in several kinds or shapes must have one order in all of them.
    """
    by_families: dict[tuple[Pattern, Pattern], list[Pairing]] = defaultdict(list)
    for pairing in pairings:
        theirs, ours = pairing.names
        by_families[pattern(theirs), pattern(ours)].append(pairing)
    wrong: set[int] = set()
    for together in by_families.values():
        found = [numbers(p.names[1]) for p in sorted(together, key=lambda p: numbers(p.names[0]))]
        if found != sorted(found):
            wrong |= {p.theirs for p in together if p.ordered}
    return wrong


def misnamed(
    pairings: list[Pairing],
    theirs: Mapping[int, Tokens],
    ours: Mapping[int, Tokens],
    kinds: Mapping[int, str],
) -> set[int]:
    """Torch's layers that are paired against the names: another layer of the kind bears the name of the partner.

    Args:
      pairings: layers of torch's and of JAX's that are equal in kind and shape.
      theirs: the names of torch's layers.
      ours: the names of JAX's layers.
      kinds: the kind of each of JAX's layers.
    """
    ours_by_name = {name: j for j, name in ours.items()}
    their_numbers, our_numbers = _numbers_of_families(theirs), _numbers_of_families(ours)
    telling = {j: words(pattern(name)) for j, name in ours.items()}
    wrong = set()
    for pairing in pairings:
        name, kind = theirs[pairing.theirs], kinds[pairing.ours]
        same = ours_by_name.get(name, pairing.ours)
        counted_alike = their_numbers[pattern(name)] == our_numbers.get(pattern(name))
        if same != pairing.ours and counted_alike and kinds[same] == kind:
            wrong.add(pairing.theirs)
        meant, got = words(pattern(name)), telling[pairing.ours]
        others = {telling[j] for j in ours if kinds[j] == kind}
        if meant and not meant & got and meant in others:
            wrong.add(pairing.theirs)
    return wrong


def _numbers_of_families(names: Mapping[int, Tokens]) -> dict[Pattern, set[tuple[int, ...]]]:
    found: dict[Pattern, set[tuple[int, ...]]] = defaultdict(set)
    for name in names.values():
        found[pattern(name)].add(numbers(name))
    return dict(found)
