"""torch's own samples of an operation (OpInfo), each as a torch module, a JAX function and one batch per seed.

Importing this file fails with ImportError if torch's private modules of samples, or `expecttest`, are gone.
"""

import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from parity_tests.operations.arguments import (
    Options,
    Slot,
    filled,
    jax_function,
    torch_results,
    with_ever_more_constants,
)
from parity_tests.operations.counterpart import Adapted, Counterpart, InexpressibleError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_utils import set_rng_seed

OPERATIONS: dict[str, Any] = {op.formatted_name: op for op in op_db if torch.float64 in op.dtypes}
"""torch's operations on float64 by name, variants apart."""


MOST = 100
"""Of some operations torch has more than a thousand samples. Those that are replayed are among the first 100."""


class Case(NamedTuple):
    """A sample of an operation: everything but the numbers in its tensors.

    name: of the operation, and the sample's number.
    module: calls the operation.
    port: the JAX counterpart, in a form that `check` takes.
    batches: the arrays, one tuple per seed.
    seeds: whose batches these are.
    options: what the operation gets besides tensors, for defects.
    to_jax: as for `check`.
    """

    name: str
    module: torch.nn.Module
    port: Any
    batches: tuple[tuple[np.ndarray, ...], ...]
    seeds: tuple[int, ...]
    options: Options | None = None
    to_jax: str | None = None


class Call(torch.nn.Module):
    """Calls a function of several tensors."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> Any:
        """The function's result."""
        return self.function(*tensors)


def cases(name: str, counterpart: Counterpart, seeds: Sequence[int], limit: int) -> tuple[list[Case], Counter[str]]:
    """At most `limit` samples of an operation, and how many were left out for which reason."""
    generated = {seed: _generated(OPERATIONS[name], seed) for seed in seeds}
    left_out: Counter[str] = Counter()
    found: list[Case] = []
    chosen = 0
    for number in np.random.default_rng(0).permutation(min(map(len, generated.values()))):
        groups: dict[Any, list[Any]] = {}
        try:
            for seed in seeds:
                options, arrays = _parts(generated[seed][number], counterpart)
                _require_expressible(options, arrays)
                groups.setdefault(_signature(options, arrays), []).append((options, arrays, seed))
        except InexpressibleError as error:
            left_out[str(error)] += 1
            continue
        for members in groups.values():
            case = _case(f"{name} {number + 1}", counterpart, members)
            if case.batches:
                found.append(case)
            else:
                left_out["torch: NaN, inf, or not in float32"] += 1
        chosen += 1
        if chosen == limit:
            break
    return found, left_out


def _generated(op: Any, seed: int) -> list[Any]:
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        set_rng_seed(seed)
        return list(islice(op.sample_inputs("cpu", torch.float64, requires_grad=False, set_seed=False), MOST))


def _parts(sample: Any, counterpart: Counterpart) -> tuple[Options, list[np.ndarray]]:
    leaves, spec = tree_flatten((sample.input, tuple(sample.args), dict(sample.kwargs)))
    slots, arrays = [], []
    for leaf in leaves:
        if isinstance(leaf, torch.dtype):
            raise InexpressibleError("a dtype")
        if not isinstance(leaf, torch.Tensor):
            slots.append(leaf)
            continue
        if leaf.layout is not torch.strided or not leaf.numel():
            raise InexpressibleError("an empty or a sparse tensor")
        slots.append(Slot(not leaf.ndim, leaf.is_complex()))
        x = torch.view_as_real(leaf.resolve_conj()) if leaf.is_complex() else leaf
        arrays.append(np.atleast_1d(x.detach().resolve_neg().numpy().copy()))
    if not arrays:
        raise InexpressibleError("no tensor among the arguments")
    function = counterpart.jax if isinstance(counterpart, Adapted) else counterpart
    return Options(function, spec, tuple(slots)), arrays


def _require_expressible(options: Options, arrays: list[np.ndarray]) -> None:
    """Binds the arguments and traces the counterpart, which may refuse a sample by its options or its shapes."""
    first, args, kwargs = tree_unflatten([None if isinstance(x, Slot) else x for x in options.leaves], options.spec)
    try:
        inspect.signature(options.function).bind(first, *args, **kwargs)
    except ValueError:  # a function without a signature takes anything
        pass
    except TypeError as error:
        raise InexpressibleError(f"options: {error}") from None
    shapes = [jax.ShapeDtypeStruct(x.shape, _SINGLE.get(x.dtype.kind, np.bool_)) for x in arrays]
    function = jax_function(options)
    inexact = tuple(i for i, x in enumerate(shapes) if x.dtype == np.float32)

    def total(*given: Any) -> Any:
        return sum(jnp.sum(x) for x in function(*given))

    try:
        with jax.numpy_dtype_promotion("standard"):
            jax.eval_shape(jax.grad(total, inexact) if inexact else total, *shapes)
    except (TypeError, ValueError, IndexError, NotImplementedError) as error:
        raise InexpressibleError(f"JAX refuses: {str(error).splitlines()[0][:100]}") from None


_SINGLE = {"f": np.float32, "i": np.int32, "u": np.int32}


def _signature(options: Options, arrays: list[np.ndarray]) -> Any:
    """What two seeds must share to be batches of one case. A random margin or slope stays that of the first."""
    plain = [type(x) if isinstance(x, float) else repr(x) for x in options.leaves]
    return str((options.spec, plain, [(x.shape, x.dtype) for x in arrays]))


def _case(name: str, counterpart: Counterpart, members: list[Any]) -> Case:
    op, post = OPERATIONS[name.rpartition(" ")[0]].op, None
    if isinstance(counterpart, Adapted):
        op, post = counterpart.operation or op, counterpart.torch

    def calling(leaves: Sequence[Any], spec: Any) -> Callable[..., list[torch.Tensor]]:
        def theirs(*tensors: torch.Tensor) -> list[torch.Tensor]:
            first, args, kwargs = tree_unflatten(filled(leaves, tensors, torch.view_as_complex), spec)
            outputs = op(first, *args, **kwargs)
            return torch_results(outputs if post is None else post(outputs))

        return theirs

    options: Options = members[0][0]
    for leaves in with_ever_more_constants(options.leaves):
        options = options._replace(leaves=leaves)
        if _has_gradients(calling(leaves, options.spec), members[0][1]):
            break
    theirs, ours = calling(options.leaves, options.spec), jax_function(options)
    good = [member for member in members if _is_finite(theirs, member[1])]
    batches, seeds = tuple(tuple(m[1]) for m in good), tuple(m[2] for m in good)
    port = (lambda key: {}), (lambda variables, *arrays: ours(*arrays))
    return Case(name, Call(theirs), port, batches, seeds, options)


def _has_gradients(function: Callable[..., list[torch.Tensor]], arrays: Sequence[np.ndarray]) -> bool:
    """Whether torch can derive with respect to every tensor that is not constant."""
    given = [torch.tensor(x).requires_grad_(x.dtype.kind == "f") for x in arrays]
    try:
        outputs = [x for x in function(*given) if x.requires_grad]
        sum(x.sum() for x in outputs).backward()  # type: ignore[union-attr]  # int has none: no gradients at all
    except (RuntimeError, AttributeError):  # "is not differentiable with respect to argument 'weight'"
        return False
    return True


def _is_finite(function: Callable[..., list[torch.Tensor]], arrays: Sequence[np.ndarray]) -> bool:
    given = [torch.tensor(x) for x in arrays]
    given = [x.float() if x.is_floating_point() else x for x in given]
    try:
        outputs = function(*given)
    except (RuntimeError, ValueError, TypeError, IndexError):
        return False
    return bool(outputs) and all(x.isfinite().all() for x in (*given, *outputs))
