"""At which options a port of an optimiser may differ from torch's, and which of them explain what it does."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from jaxd2l.parity.optimizer_rules import Options

Change = tuple[str, str, dict[str, Any]]
"""The option's family, in words, and the options that say so. Changes of one family exclude each other."""

_MOST_NUMBERS = 100_000
"""Pairs of changes are tried up to so many parameters; 600 of them take a second then."""


def choices(kind: str, of: Mapping[str, Options], size: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a port may have done that torch has no option for; then any two changes at a time. In words and as options.

    Args:
      kind: the class of torch's optimiser.
      of: its options by parameter.
      size: how many numbers are trained.
    """
    options = next(iter(of.values()))
    foreign = list(_foreign(kind, options))
    for _, words, change in foreign:
        yield f"JAX has {words}", change
    rates = (("rate", f"{factor:g} times the learning rate", {"rate": factor}) for factor in (10.0, 0.1, 2.0, 0.5))
    for (family, words, change), (other, more, changes) in combinations([*foreign, *own_options(options), *rates], 2):
        if family != other and size <= _MOST_NUMBERS:
            yield f"JAX has {words}; and {more}", change | changes


def regrouped(of: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """Torch's groups of parameters mixed up: one group's options for all, or those of two groups exchanged."""
    groups: list[dict[str, Any]] = []
    for options in of.values():
        groups += [] if options in groups else [options]
    if len(groups) < 2:
        return
    for i, group in enumerate(groups, 1):
        words = f"groups mixed up: JAX has the options of torch's group {i} for all parameters"
        yield words, dict.fromkeys(of, group)
    for one, other in combinations(groups, 2):
        swapped = {n: other if o == one else one if o == other else o for n, o in of.items()}
        yield "groups mixed up: JAX has exchanged the options of two groups", swapped


def own_options(options: Options) -> Iterator[Change]:
    """Other values of torch's own options, among them the defaults of both libraries."""
    for name, values in _VALUES.items():
        for value in values if name in options else ():
            if value != options[name]:
                yield name, f"{name}={value}, torch has {options[name]}", {name: value}
    if "betas" in options:
        beta1, beta2 = options["betas"]
        others = (beta2, beta1), (0.9, beta2), (0.95, beta2), (beta1, 0.999), (beta1, 0.99), (beta1, 0.95), (0.0, beta2)
        for betas in dict.fromkeys((*others, (0.9, 0.99), (0.9, 0.95), (0.9, 0.999))):
            if betas != (beta1, beta2):
                yield "betas", f"betas={betas}, torch has {(beta1, beta2)}", {"betas": betas}
    for name in ("amsgrad", "centered", "nesterov"):
        if name in options:
            has = "no " if options[name] else ""
            yield name, f"{has}{name}, torch has {'it' if options[name] else 'none'}", {name: not options[name]}
    if decay := options.get("weight_decay"):
        yield "weight_decay", "no weight decay", {"weight_decay": 0.0}
        for value in (1e-2, 1e-4, decay / 2, 2 * decay, 10 * decay, decay / 10):
            if value != decay:
                yield "weight_decay", f"weight_decay={value:g}, torch has {decay:g}", {"weight_decay": value}


_VALUES: dict[str, tuple[Any, ...]] = {
    "eps": (0.0, 1e-16, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3),
    "alpha": (0.9, 0.99, 0.999, 0.95),
    "rho": (0.9, 0.95, 0.99),
    "momentum": (0.0, 0.5, 0.9, 0.99),
    "lr_decay": (0.0,),
    "momentum_decay": (4e-3, 0.0),
}


def _foreign(kind: str, options: Options) -> Iterator[Change]:
    """What torch has no option for, or none that acts after the optimiser is made."""
    yield from _others(kind, options)
    yield from _places(kind, options)
    if options.get("amsgrad"):
        yield "amsgrad", "amsgrad over bias-corrected means, torch takes the largest before", {"amsgrad": "after"}
    if kind == "RMSprop" and options.get("momentum"):
        yield "nesterov", "Nesterov momentum, torch's RMSprop has none", {"nesterov": True}
    for start in (0.0, 0.1):
        name = "initial_accumulator_value"
        if options.get(name, start) != start:
            yield name, f"{name}={start}, torch has {options[name]}", {name: start}
    yield from _decays(kind, options)


def _others(kind: str, options: Options) -> Iterator[Change]:
    """Another optimiser, or optax's defaults where they differ in more than one option."""
    if kind == "Adagrad":
        theirs = {"initial_accumulator_value": 0.1, "eps": 1e-7, "eps_place": "under"}
        yield "kind", "optax's defaults: initial_accumulator_value=0.1 and eps=1e-07 under the root", theirs
    if kind == "NAdam":
        yield "kind", "a constant momentum (optax.nadam), torch's grows", {"kind": "Adam", "nesterov": True}
        yield "kind", "no look ahead (Adam)", {"kind": "Adam"}
    if kind in ("Adam", "AdamW"):
        yield "kind", "Nesterov's look ahead (optax.nadam)", {"nesterov": True}
        yield "kind", "NAdam", {"kind": "NAdam", "momentum_decay": 4e-3}
    if "betas" in options:
        unlike = (*{"AdamW": ("Adam",), "NAdam": ("Adam",)}.get(kind, ()), kind)
        for other in ("Adam", "Adamax", "RAdam"):
            if other not in unlike:
                yield "kind", other, {"kind": other}


def _places(kind: str, options: Options) -> Iterator[Change]:
    """Where eps stands, and which means are corrected."""
    places = {
        "under": "eps under the root, torch adds it to the root",
        "before": "eps before the bias correction, torch adds it after",
        "after": "eps after the bias correction, torch adds it before",
        "outside": "eps added to the roots, torch has it under them",
    }
    fitting = {
        "Adam": ("under", "before"),
        "AdamW": ("under", "before"),
        "NAdam": ("under",),
        "RAdam": ("after", "under"),
        "RMSprop": ("under",),
        "Adagrad": ("under",),
        "Adamax": ("after",),
        "Adadelta": ("outside",),
    }
    for place in fitting.get(kind, ()):
        words = places[place] if kind != "Adamax" else "eps added to the largest gradient, torch to each"
        yield "eps_place", words, {"eps_place": place}
    if "betas" in options:
        ways = {(False, False): "no bias correction", (False, True): "no bias correction of the mean of gradients"}
        ways |= {(True, False): "no bias correction of the mean of squares"} if kind != "Adamax" else {}
        for corrected, words in ways.items():
            yield "corrected", words, {"corrected": corrected}
    if kind == "RMSprop":
        yield "corrected", "bias correction, torch's RMSprop has none", {"corrected": (True,)}


def _decays(kind: str, options: Options) -> Iterator[Change]:
    """Weight decay in another place, or where torch has none."""
    if not options.get("weight_decay"):
        for value in (1e-2, 1e-4) if "weight_decay" in options else ():
            for way in ("decoupled", "coupled"):
                words = f"{way} weight decay of {value:g}, torch has none"
                yield "weight_decay", words, {"weight_decay": value, "decay": way}
        return
    now = "decoupled" if kind == "AdamW" or options.get("decoupled_weight_decay") else "coupled"
    ways = {
        "coupled": "coupled weight decay (in the gradient), torch's is decoupled",
        "decoupled": "decoupled weight decay (beside the gradient), torch's is coupled",
        "unscaled": "weight decay that is not scaled by the learning rate",
    }
    for way in ways:
        if way != now:
            yield "decay", ways[way], {"decay": way}
