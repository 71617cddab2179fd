"""Calls left out, doubled or in another order: skip connections, norms before or after what they norm."""

from collections.abc import Iterator
from typing import Any

import torch

from jaxd2l.parity.replacements.sites import Candidate, Program, Site, instead, place, together

_NORMS = frozenset(("layer_norm", "group_norm", "batch_norm", "instance_norm", "rms_norm"))
_ACTIVATIONS = frozenset("relu gelu silu tanh sigmoid leaky_relu elu selu softplus relu6 mish hardswish celu".split())  # noqa: SIM905
_POOLS = frozenset("max_pool1d max_pool2d avg_pool1d avg_pool2d".split())  # noqa: SIM905
_WEIGHED = _NORMS | frozenset("linear matmul einsum scaled_dot_product_attention lstm gru bilinear".split())  # noqa: SIM905
_SWAPPED = _NORMS | _ACTIVATIONS | _POOLS | {"dropout"}


def structure(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on the order in which calls stand."""
    if site.name == "add" and site.scalar is None and len(site.args) >= 2:
        yield from _skip(site, program)
    if site.name in _SWAPPED:
        yield from _order(site, program)
    if site.name in _ACTIVATIONS | _NORMS and isinstance(site.output, torch.Tensor):
        hint = f"{site.name} is applied twice in JAX"
        yield instead(site, hint, lambda x, *a, **k: site.function(site.function(x, *a, **k), *a, **k))


def _skip(site: Site, program: Program) -> Iterator[Candidate]:
    """`x + f(x)`: one of the two is computed from the other."""
    a, b = site.args[:2]
    made = {id(program.sites[n].output): program.sites[n] for n in site.sources}
    if not (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)):
        return
    for skipped, other, position in ((a, b, 0), (b, a, 1)):
        branch = made.get(id(other))
        if branch is None or skipped.shape != other.shape:
            continue
        earlier = (
            {start.number, *(s.number for s in program.before(start))} if (start := made.get(id(skipped))) else set()
        )
        inside = [s for s in (branch, *program.before(branch)) if s.number not in earlier]
        users = [s for s in inside if any(x is skipped for x in (*s.args, *s.kwargs.values()))]
        is_shared = users or any(n in earlier for s in inside for n in s.sources)
        if not is_shared or not any(s.name in _WEIGHED or s.name.startswith("conv") for s in inside):
            continue
        hint = "skip connection (residual) is missing in JAX"
        yield instead(site, hint, lambda *args, _p=position, **kw: args[1 - _p])
        hint = "skip connection (residual): JAX multiplies, torch adds"
        yield instead(site, hint, lambda *args, **kw: args[0] * args[1])
        hint = "skip connection (residual) is added twice in JAX"
        yield instead(site, hint, lambda *args, _p=position, **kw: args[0] + args[1] + args[_p])
        hint = "skip connection (residual): JAX subtracts, torch adds"
        yield instead(site, hint, lambda *args, _p=position, **kw: args[_p] - args[1 - _p])
        for factor, words in ((0.5, "half of the sum"), (2**-0.5, "the sum divided by sqrt(2)")):
            hint = f"skip connection (residual): JAX takes {words}"
            yield instead(site, hint, lambda *args, _f=factor, **kw: (args[0] + args[1]) * _f)
        hint = "the branch beside a skip connection is missing in JAX"
        yield instead(site, hint, lambda *args, _p=position, **kw: args[_p])
        yield from _where_norms_stand(site, skipped, users, position)
        yield from _other_start(site, skipped, users, position, program)


def _where_norms_stand(site: Site, skipped: Any, users: list[Site], position: int) -> Iterator[Candidate]:
    """Pre-norm and post-norm; or the skip taken after the norm."""
    for norm in users:
        if norm.name not in _NORMS or (norm.args[:1] != () and norm.args[0] is not skipped):
            continue
        held: dict[str, Any] = {}

        def hold(x: Any, *args: Any, _held: Any = held, _norm: Site = norm, **kw: Any) -> Any:
            _held["rest"] = args, kw
            return x

        def late(*args: Any, _held: Any = held, _norm: Site = norm, **kw: Any) -> Any:
            rest, options = _held["rest"]
            return _norm.function(args[0] + args[1], *rest, **options)

        hint = "order of norm and residual: JAX norms after the sum (post-norm), torch before (pre-norm)"
        yield together(site, hint, {norm.number: hold, site.number: late})
        hint = "skip connection (residual): JAX takes it after the norm, torch before"
        kept: dict[str, Any] = {}

        def normed(*args: Any, _kept: Any = kept, _norm: Site = norm, **kw: Any) -> Any:
            _kept["x"] = _norm.function(*args, **kw)
            return _kept["x"]

        def summed(*args: Any, _kept: Any = kept, **kw: Any) -> Any:
            return _kept["x"] + args[1 - position]

        yield together(site, hint, {norm.number: normed, site.number: summed})


def _other_start(site: Site, skipped: Any, users: list[Site], position: int, program: Program) -> Iterator[Candidate]:
    """The skip connection taken before the activation that torch has before it."""
    start = next((s for s in program.before(site, 1) if s.output is skipped), None)
    if (
        start is not None
        and start.name in _ACTIVATIONS | _NORMS
        and start.args
        and isinstance(start.args[0], torch.Tensor)
    ):
        hint = f"skip connection (residual): JAX takes it before {start.name}, torch after"
        held: list[Any] = []

        def hold(x: Any, *args: Any, **kw: Any) -> Any:
            held[:] = [x]
            return start.function(x, *args, **kw)

        yield together(site, hint, {start.number: hold, site.number: lambda *args, **kw: held[0] + args[1 - position]})


def _order(site: Site, program: Program) -> Iterator[Candidate]:
    """Two calls in a row, of which each takes one tensor, in the other order."""
    after = program.after(site)
    if len(after) == 1 and after[0].name in _SWAPPED and after[0].name != site.name:
        other = after[0]
        hint = f"order: JAX has {other.name} before {site.name}, torch after ({place(site)}, {place(other)})"

        def second(y: Any, *args: Any, **kw: Any) -> Any:
            return site.function(y, *site.args[1:], **site.kwargs)

        def first(x: Any, *args: Any, **kw: Any) -> Any:
            return other.function(x, *other.args[1:], **other.kwargs)

        yield together(site, hint, {site.number: first, other.number: second})
    if len(after) == 1 and after[0].name == "add" and site.name in _ACTIVATIONS and after[0].scalar is None:
        total = after[0]
        hint = f"order: JAX has {site.name} after the sum, torch before"
        yield Candidate(
            hint, {site.number: lambda x, *a, **k: x, total.number: lambda *a, **k: site.function(a[0] + a[1])}
        )
    if site.name in _ACTIVATIONS | _NORMS:
        for total in program.before(site, 1):
            if total.name == "add" and total.scalar is None and len(total.args) >= 2:
                for position, words in ((0, "the first part"), (1, "the second part")):
                    hint = f"order: JAX has {site.name} before the sum, on {words}, torch after"

                    def early(*a: Any, _p: Any = position, **k: Any) -> Any:
                        return sum(
                            site.function(x, *site.args[1:], **site.kwargs) if i == _p else x
                            for i, x in enumerate(a[:2])
                        )

                    yield together(site, hint, {total.number: early, site.number: lambda x, *a, **k: x})
