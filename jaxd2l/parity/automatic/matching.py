"""Which JAX layer is which torch layer, among layers of one kind and shape: by names, then in the order of numbers."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from jaxd2l.parity.automatic.names import Tokens, pattern, words

Pattern = tuple[str, ...]


class Pairing(NamedTuple):
    """Two layers that belong together.

    theirs, ours: positions in the lists of torch's and JAX's layers.
    names: what they are called.
    ordered: it was the order of the numbers that decided.
    """

    theirs: int
    ours: int
    names: tuple[Tokens, Tokens]
    ordered: bool


def match(theirs: Mapping[int, Tokens], ours: Mapping[int, Tokens]) -> list[Pairing]:
    """Pairs layers that are alike, as far as their names leave no doubt.

    Layers whose names differ by numbers alone are a family. Families of equal size are paired if their names are the
    same, if they share a word that no other family of the kind has, or if no other partner is left; the layers in them
    in the order of their numbers.

    Args:
      theirs: the name of each of torch's layers, by its position.
      ours: the name of each of JAX's layers, by its position.

    >>> match({0: ("layer", 0), 1: ("layer", 2)}, {7: ("linear", 1), 8: ("linear", 0)})[0][:2]
    (0, 8)
    """
    left, right = _families(theirs), _families(ours)
    found = []
    for p, q in _pairs_of_families(left, right).items():
        if all(len({names[i] for i in ms}) == len(ms) for ms, names in ((left[p], theirs), (right[q], ours))):
            in_order = sorted(left[p], key=theirs.__getitem__), sorted(right[q], key=ours.__getitem__)
            found += [Pairing(t, j, (theirs[t], ours[j]), len(left[p]) > 1) for t, j in zip(*in_order, strict=True)]
    return found


def _families(names: Mapping[int, Tokens]) -> dict[Pattern, list[int]]:
    found: dict[Pattern, list[int]] = defaultdict(list)
    for i, name in names.items():
        found[pattern(name)].append(i)
    return dict(found)


Families = Mapping[Pattern, list[int]]


def _pairs_of_families(left: Families, right: Families) -> dict[Pattern, Pattern]:
    found: dict[Pattern, Pattern] = {}
    for rule in (_same_name, _shared_word, _only_one):
        progress = True
        while progress:
            open_left = {p: ms for p, ms in left.items() if p not in found}
            open_right = {q: ms for q, ms in right.items() if q not in found.values()}
            new = rule(open_left, open_right)
            found |= new
            progress = bool(new)
    return found


def _same_name(left: Families, right: Families) -> dict[Pattern, Pattern]:
    return {p: p for p in left if p in right and len(left[p]) == len(right[p])}


def _shared_word(left: Families, right: Families) -> dict[Pattern, Pattern]:
    """Families of equal size with a word in common that no other family on either side has."""
    found: dict[Pattern, Pattern] = {}
    for size in {len(members) for members in left.values()}:
        telling = [_telling([p for p, ms in side.items() if len(ms) == size]) for side in (left, right)]
        shared = {(p, q) for p, a in telling[0].items() for q, b in telling[1].items() if a & b}
        of_left, of_right = Counter(p for p, _ in shared), Counter(q for _, q in shared)
        found |= {p: q for p, q in shared if of_left[p] == of_right[q] == 1}
    return found


def _telling(families: list[Pattern]) -> dict[Pattern, frozenset[str]]:
    """The words of each family without those that all of them have."""
    of = {family: words(family) for family in families}
    common = frozenset.intersection(*of.values()) if len(of) > 1 else frozenset()
    return {family: found - common for family, found in of.items()}


def _only_one(left: Families, right: Families) -> dict[Pattern, Pattern]:
    """A family that is the only one of its size on both sides, if no family of another size is left over."""
    if sorted(map(len, left.values())) != sorted(map(len, right.values())):
        return {}
    sizes = Counter(map(len, left.values()))
    return {p: q for p, a in left.items() for q, b in right.items() if len(a) == len(b) and sizes[len(a)] == 1}
