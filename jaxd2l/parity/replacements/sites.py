"""Where a torch program calls which operation, and the program run again with some of these calls replaced.

torch's function modes see the calls that people write (`F.interpolate`, `x + y`, `nn.Conv2d`), before they are taken
apart into operations that have forgotten what they were for.
"""

import inspect
import operator
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import torch
from torch.utils._pytree import tree_leaves

_SIGNATURES = {
    "conv": "input weight bias=None stride=1 padding=0 dilation=1 groups=1",
    "conv_transpose": "input weight bias=None stride=1 padding=0 output_padding=0 groups=1 dilation=1",
    "max_pool": "input kernel_size stride=None padding=0 dilation=1 ceil_mode=False return_indices=False",
    "avg_pool": "input kernel_size stride=None padding=0 ceil_mode=False count_include_pad=True",
    "scaled_dot_product_attention": "query key value attn_mask=None dropout_p=0.0 is_causal=False scale=None",
    "softmax": "input dim=None",
    "log_softmax": "input dim=None",
    "gelu": "input approximate='none'",
    "softplus": "input beta=1.0 threshold=20.0",
    "leaky_relu": "input negative_slope=0.01",
    "elu": "input alpha=1.0",
    "pixel_shuffle": "input factor",
    "pixel_unshuffle": "input factor",
    "channel_shuffle": "input groups",
    "cosine_similarity": "x1 x2 dim=1 eps=1e-8",
}
"""The parameters of functions that are written in C, by name or by the name without the number of dimensions."""

_BY_POSITION = {"gelu": 1, "scaled_dot_product_attention": 3}
"""How many of them may be given by position, where not all may."""


class Site(NamedTuple):
    """One call.

    number: which of all calls.
    name: of the function, spelled in one way: "add" for `x + y` and `x += y`.
    args, kwargs: what it was given.
    output: what it returned.
    module: the name of the innermost module in which it was called.
    sources: the numbers of the calls that made its arguments.
    """

    number: int
    name: str
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any
    module: str
    sources: tuple[int, ...]

    @property
    def named(self) -> dict[str, Any]:
        """The arguments by their names."""
        return bound(self.function, self.name, self.args, self.kwargs)

    @property
    def x(self) -> Any:
        """The first tensor among the arguments; None if there is none."""
        return next((a for a in tree_leaves((self.args, self.kwargs)) if isinstance(a, torch.Tensor)), None)

    @property
    def scalar(self) -> float | None:
        """The number that an arithmetic operation combines a tensor with; None if it combines two tensors."""
        numbers = [a for a in self.args[:2] if isinstance(a, int | float) and not isinstance(a, bool)]
        return float(numbers[0]) if numbers and self.x is not None else None


class Program(NamedTuple):
    """All calls of a program, in order; and the identities of the module's own tensors."""

    sites: dict[int, Site]
    own: frozenset[int] = frozenset()

    def is_own(self, tensor: torch.Tensor, site: Site) -> bool:
        """Whether an argument of a call is a parameter or a buffer, or made of these and of counted numbers alone."""
        if id(tensor) in self.own:
            return True
        maker = next((self.sites[n] for n in site.sources if self.sites[n].output is tensor), None)
        if maker is None:
            return False
        given = [x for x in tree_leaves((maker.args, maker.kwargs)) if isinstance(x, torch.Tensor)]
        return all(self.is_own(x, maker) for x in given)

    def before(self, site: Site, depth: int = 100) -> Iterator[Site]:
        """The calls whose results go into this one, nearest first."""
        seen, layer = set(), {*site.sources}
        for _ in range(depth):
            yield from (self.sites[n] for n in sorted(layer, reverse=True))
            seen |= layer
            layer = {s for n in layer for s in self.sites[n].sources} - seen
            if not layer:
                return

    def after(self, site: Site) -> list[Site]:
        """The calls that take this one's result."""
        return [other for other in self.sites.values() if site.number in other.sources]

    def follows(self, site: Site, names: frozenset[str], through: frozenset[str]) -> Site | None:
        """The first call of one of these names that the result goes to, through such calls alone."""
        for other in self.after(site):
            if other.name in names:
                return other
            if other.name in through and (found := self.follows(other, names, through)) is not None:
                return found
        return None

    def comes_from(self, site: Site, names: frozenset[str], through: frozenset[str]) -> Site | None:
        """The nearest call of one of these names that it works on, through such calls alone."""
        for number in sorted(site.sources, reverse=True):
            other = self.sites[number]
            if other.name in names:
                return other
            if other.name in through and (found := self.comes_from(other, names, through)) is not None:
                return found
        return None


Change = Callable[..., Any]
"""What is called in place of the function, with its arguments."""


class Candidate(NamedTuple):
    """A change that a port may have made.

    hint: in words.
    changes: by the number of a call, what is called instead.
    rank: 0 for a change that has a meaning of its own; 1 for one that may stand for several.
    """

    hint: str
    changes: Mapping[int, Change]
    rank: int = 0


def instead(site: Site, hint: str, change: Change, rank: int = 0) -> Candidate:
    """A candidate that changes one call."""
    return together(site, hint, {site.number: change}, rank)


def together(site: Site, hint: str, changes: Mapping[int, Change], rank: int = 0) -> Candidate:
    """A candidate that changes several calls at once, of which one says where."""
    return Candidate(f"{hint} ({place(site)})", changes, rank)


def of_earlier(site: Site, earlier: Site, position: int, function: Change) -> dict[int, Change]:
    """Changes after which a call gives `function` of what an earlier one was given."""
    if earlier.number == site.number:
        return {site.number: lambda *args, **kwargs: function(args[position])}
    held: list[Any] = []

    def hold(*args: Any, **kwargs: Any) -> Any:
        held[:] = [args[position]]
        return earlier.function(*args, **kwargs)

    return {earlier.number: hold, site.number: lambda *args, **kwargs: function(held[0])}


def with_options(site: Site, **options: Any) -> Change:
    """The same function with other options."""

    def change(*args: Any, **kwargs: Any) -> Any:
        given = bound(site.function, site.name, args, kwargs) | options
        if _listed(site.name) is None:
            return site.function(**given)
        places = _BY_POSITION.get(site.name, len(given))
        return site.function(*list(given.values())[:places], **dict(list(given.items())[places:]))

    return change


def bound(function: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the names of the function's parameters, with those that were left out at their defaults.

    Raises:
      ValueError: if the parameters are not known.
    """
    signature = _signature(function, name)
    names = list(signature)
    given = dict(zip(names, args, strict=False)) | {n: v for n, v in kwargs.items() if n in names}
    return {n: given.get(n, default) for n, default in signature.items()}


@cache
def _signature(function: Any, name: str) -> dict[str, Any]:
    text = _listed(name)
    if text is None:
        if not inspect.isfunction(function):
            raise ValueError(f"the parameters of {name} are not known")
        parameters = inspect.signature(function).parameters.values()
        return {p.name: None if p.default is p.empty else p.default for p in parameters if not p.name.startswith("_")}
    pairs = (part.partition("=") for part in text.split())
    return {n: literal_eval(default) if default else None for n, _, default in pairs}


def _listed(name: str) -> str | None:
    return _SIGNATURES.get(name) or _SIGNATURES.get(name[:-2])


def tensor_of(args: tuple[Any, ...]) -> torch.Tensor:
    """The first tensor among arguments."""
    return next(x for x in args if isinstance(x, torch.Tensor))


def place(site: Site) -> str:
    """Where a call is, in words."""
    return f"in {site.module}" if site.module else f"{site.name}"


def pair(value: Any, n: int) -> tuple[int, ...]:
    """A number for each of `n` dimensions."""
    return tuple(value) if isinstance(value, tuple | list) else (operator.index(value),) * n
