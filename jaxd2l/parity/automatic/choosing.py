"""Which variant of torch's modules, and which reading of JAX's leaves, the other side has a counterpart for."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from jaxd2l.parity.automatic.layers import Entity, JaxLayer, Reading, Signature, TorchLayer, signature

_STACK = re.compile(r"(\d+) x .*")


def choose_variants(entities: Iterable[Entity], ours: list[JaxLayer]) -> list[TorchLayer]:
    """Torch's layers. Modules of one kind and shape are all taken for the same variant: the first that JAX has."""
    supply = Counter(s for layer in ours for s in {signature(reading) for reading in layer.readings})
    alike: dict[tuple[tuple[Signature, ...], ...], list[Entity]] = defaultdict(list)
    for entity in entities:
        alike[tuple(tuple(map(signature, variant)) for variant in entity)].append(entity)
    demand: Counter[Signature] = Counter()
    for signatures, of_kind in alike.items():
        if len(signatures) == 1:
            demand.update(list(signatures[0]) * len(of_kind))
    found = []
    for signatures, of_kind in alike.items():
        wanted = [demand + Counter(list(variant) * len(of_kind)) for variant in signatures]
        fitting = [all(supply[s] >= n[s] for s in set(v)) for v, n in zip(signatures, wanted, strict=True)]
        chosen = fitting.index(True) if len(signatures) > 1 and True in fitting else len(signatures) - 1
        found += [(entity, chosen) for entity in of_kind]
    return [layer for entity, chosen in found for layer in entity[chosen]]


def with_stacks(theirs: list[TorchLayer], ours: list[JaxLayer]) -> list[TorchLayer]:
    """Torch's layers, and those that differ by one number alone as the stack that a scan of JAX's may be."""
    wanted = {signature(r) for layer in ours for r in layer.readings if _STACK.fullmatch(r.kind)}
    if not wanted:
        return theirs
    stacks: dict[tuple[str, str, Signature], list[tuple[int, TorchLayer]]] = defaultdict(list)
    for layer in theirs:
        for match in re.finditer(r"\d+", layer.path):
            outside = layer.path[: match.start()].rstrip("._"), layer.path[match.end() :].lstrip("._")
            stacks[(*outside, signature(layer))].append((int(match.group()), layer))
    found = list(theirs)
    for (before, after, (kind, shapes)), numbered in stacks.items():
        if (f"{len(numbered)} x {kind}", shapes) in wanted and len({n for n, _ in numbered}) == len(numbered):
            members = tuple(layer for _, layer in sorted(numbered, key=lambda pair: pair[0]))
            path = ".".join(part for part in (before, after) if part)
            names = frozenset(name for member in members for name in member.names)
            problem = next((member.problem for member in members if member.problem), "")
            stack = TorchLayer(path, f"{len(members)} x {kind}", dict(shapes), {}, names, members, problem)
            found.append(stack)
    return found


def choose_reading(layer: JaxLayer, theirs: set[Signature]) -> tuple[Reading, ...]:
    """The readings for which torch has a layer; a stack only if it is nothing else."""
    fitting = [reading for reading in layer.readings if signature(reading) in theirs]
    single = [reading for reading in fitting if not _STACK.fullmatch(reading.kind)]
    return tuple(single or fitting)
