"""Another activation, or none."""

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.sites import Candidate, Program, Site, instead, of_earlier, together

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "gelu (exact)": F.gelu,
    "gelu (tanh formula)": lambda x: F.gelu(x, approximate="tanh"),
    "gelu (x * sigmoid(1.702 x))": lambda x: x * torch.sigmoid(1.702 * x),
    "silu": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "softplus": F.softplus,
    "relu6": F.relu6,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "hard sigmoid": lambda x: (x / 6 + 0.5).clamp(0, 1),
    "Keras's hard sigmoid (0.2 x + 0.5)": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "hardtanh": F.hardtanh,
    "softsign": F.softsign,
    "log_sigmoid": F.logsigmoid,
    "squared relu": lambda x: torch.relu(x) ** 2,
    "tanhshrink": F.tanhshrink,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "LeCun's tanh (1.7159 tanh(2 x / 3))": lambda x: 1.7159 * torch.tanh(2 * x / 3),
    "absolute value": torch.abs,
    "sine": torch.sin,
}
_NAMES = frozenset(
    """relu gelu silu tanh sigmoid leaky_relu elu selu celu softplus relu6 mish hardswish hardsigmoid hardtanh softsign
    logsigmoid tanhshrink softshrink hardshrink relu_ prelu threshold rrelu""".split()  # noqa: SIM905
)
_SLOPES = (0.0, 0.01, 0.1, 0.2, 0.3, 1 / 3, 0.05, 0.02, 0.25, 0.5, 0.001)
_FUNCTIONS = frozenset("sigmoid tanh erf softplus exp relu clamp".split())  # noqa: SIM905
_ELEMENTWISE = frozenset("add sub rsub mul div rdiv pow sigmoid tanh erf exp log softplus relu neg clamp".split())  # noqa: SIM905


def activations(site: Site, program: Program) -> Iterator[Candidate]:
    """Every activation in place of one that torch has, by its own name or by a formula."""
    if site.name in _NAMES:
        yield from _own_parameters(site)
        for name, function in ACTIVATIONS.items():
            hint = f"activation: JAX has {name}, torch {_described(site)}"
            yield instead(site, hint, lambda x, *args, _f=function, **kwargs: _f(x))
        hint = f"{_described(site)} is missing"
        yield instead(site, hint, lambda x, *args, **kwargs: x, 2)
    elif site.name == "glu":
        for name, function in ACTIVATIONS.items():
            yield instead(site, f"gate of glu: JAX has {name}, torch sigmoid", _glu(function))
        yield instead(
            site, "halves of glu: JAX's gate is the first half, torch's the second", _glu(torch.sigmoid, True)
        )
    elif (root := _root(site, program)) is not None:
        yield from _by_hand(site, root)


def _own_parameters(site: Site) -> Iterator[Candidate]:
    if site.name == "gelu":
        exact = site.named["approximate"] == "none"
        flag, theirs, way = ("True", "exact", "tanh") if exact else ("False", "the tanh formula", "none")
        hint = f"tanh-gelu: matches with approximate={flag}, torch's gelu is {theirs}"
        yield instead(site, hint, lambda x, *args, **kwargs: F.gelu(x, approximate=way))
    if site.name == "leaky_relu":
        for slope in _SLOPES:
            hint = f"leaky_relu: matches with negative_slope={slope:g}, the slope"
            yield instead(site, hint, lambda x, *args, _s=slope, **kwargs: F.leaky_relu(x, _s))
    if site.name == "prelu":
        yield instead(site, "slopes of prelu: JAX takes 0.25, not the weight", lambda x, w: F.leaky_relu(x, 0.25))
        yield instead(site, "slopes of prelu: JAX takes the first for all channels", lambda x, w: F.prelu(x, w[:1]))
    if site.name in ("elu", "celu"):
        for alpha in (0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 1.6732632423543772, 2.0):
            for name, function in (("elu", F.elu), ("celu", F.celu)):
                hint = f"{name}: matches with alpha={alpha:.4g}"
                yield instead(site, hint, lambda x, *args, _f=function, _a=alpha, **kwargs: _f(x, _a))
    if site.name == "softplus":
        for beta in (0.5, 1.0, 2.0, 5.0, 10.0):
            hint = f"softplus: matches with beta={beta:g}"
            yield instead(site, hint, lambda x, *args, _b=beta, **kwargs: F.softplus(x, _b))
        hint = "softplus: JAX does not divide by beta"
        yield instead(site, hint, lambda x, beta=1.0, *args: F.softplus(beta * x))
    if site.name in ("hardtanh", "relu6", "hardshrink", "softshrink", "threshold"):
        for low, high in ((-1, 1), (0, 6), (-2, 2), (0, 1), (-6, 6), (-0.5, 0.5)):
            hint = f"bounds of {site.name}: JAX clips at {low:g} and {high:g}"
            yield instead(site, hint, lambda x, *args, _l=low, _h=high, **kwargs: x.clamp(_l, _h))
    if site.name in ("hardshrink", "softshrink"):
        for limit in (0.1, 0.25, 0.5, 1.0):
            function = getattr(F, site.name)
            hint = f"{site.name}: matches with lambd={limit:g}"
            yield instead(site, hint, lambda x, *args, _l=limit, _f=function, **kwargs: _f(x, _l))


def _described(site: Site) -> str:
    if site.name == "gelu":
        return "gelu (exact)" if site.named["approximate"] == "none" else "gelu (tanh formula)"
    return {"hardsigmoid": "hard sigmoid", "logsigmoid": "log_sigmoid"}.get(site.name, site.name)


def _glu(function: Callable[[torch.Tensor], torch.Tensor], first: bool = False) -> Callable[..., torch.Tensor]:
    def change(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
        value, gate = x.chunk(2, dim)[:: -1 if first else 1]
        return value * function(gate)

    return change


def _root(site: Site, program: Program) -> tuple[Site, int] | None:
    """Where the one tensor goes in of which a product is a function, element by element: `x` of `x * sigmoid(x)`."""
    if site.name != "mul" or any(other.name in _ELEMENTWISE for other in program.after(site)):
        return None
    for stop in (*sorted({s.number for s in program.before(site)}, reverse=True), None):
        users, names = _uses(site, stop, program)
        if users and names & _FUNCTIONS:
            return users[0]
    return None


def _uses(site: Site, stop: int | None, program: Program) -> tuple[list[tuple[Site, int]], set[str]]:
    """Where the result of one earlier call goes in, and what is computed of it; nothing if another tensor does, too."""
    users: dict[int, tuple[Site, int]] = {}
    stack, names = [site], set()
    while stack:
        one = stack.pop()
        names.add(one.name)
        made = {id(program.sites[n].output): program.sites[n] for n in one.sources}
        for position, x in enumerate(one.args):
            maker = made.get(id(x))
            if not isinstance(x, torch.Tensor):
                continue
            if maker is None or maker.number == stop:
                users[id(x)] = one, position
            elif maker.name in _ELEMENTWISE and maker.output.shape == site.output.shape:
                stack.append(maker)
            else:
                return [], set()
    return (list(users.values()), names) if len(users) == 1 else ([], set())


def _by_hand(site: Site, root: tuple[Site, int]) -> Iterator[Candidate]:
    """What is an activation in several calls: the last of them gives another one's result."""
    first, position = root
    x = first.args[position]
    theirs = [name for name, function in ACTIVATIONS.items() if _same(function(x), site.output)]
    described = theirs[0] if theirs else "a formula of its own"
    for name, function in ACTIVATIONS.items():
        if name not in theirs:
            hint = f"activation: JAX has {name}, torch {described}"
            yield together(site, hint, of_earlier(site, first, position, function))


def _same(x: torch.Tensor, y: torch.Tensor) -> bool:
    return x.shape == y.shape and bool((x - y).abs().max() <= 1e-12 * (1 + y.abs().max()))
