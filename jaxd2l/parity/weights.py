"""How torch's weights become the JAX model's: a mapping in a small algebra, or a function. Either is differentiable.

A mapping names each JAX array and says what it is in torch's weights:

    {"attention.query.kernel": take("attn.in_proj_weight").split(3)[0].T,
     "cell.bias": take("rnn.bias_ih_l0") + take("rnn.bias_hh_l0")}

JAX's gradients are taken through it. So every gradient stands under torch's name, in torch's shape, and weights that
are tied, fused, split or stacked need no inverse.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxd2l._files import named_leaves

Arrays = Mapping[str, Any]
"""Arrays by torch's names."""


class Weight:
    """An expression in torch's weights.

    sources: the names of the weights in it.
    plain: "same" or "transpose" if it is one weight as it is or turned, which can be undone; else None.
    compute: `compute(arrays) -> array`.
    text: how it was written.

    >>> half = take("w").T.split(2, axis=0)[1]
    >>> half, half.compute({"w": jnp.arange(4).reshape(2, 2)})
    (take('w').T.split(2, 0)[1], Array([[1, 3]], dtype=int32))
    """

    def __init__(
        self,
        sources: tuple[str, ...],
        compute: Callable[[Arrays], Any],
        text: str,
        plain: Literal["same", "transpose"] | None = None,
    ) -> None:
        self.sources, self.compute, self.text, self.plain = sources, compute, text, plain

    def __repr__(self) -> str:
        return self.text

    @property
    def T(self) -> "Weight":  # noqa: N802  # as NumPy calls it
        """A kernel turned as JAX has it: torch's (out, in, *window) as (*window, in, out)."""
        turned = self._then("T", lambda x: jnp.transpose(x, (*range(2, x.ndim), 1, 0)) if x.ndim > 1 else x)
        turned.plain = "transpose" if self.plain == "same" else None
        return turned

    def transpose(self, *axes: int) -> "Weight":
        """The axes in this order."""
        return self._then(f"transpose{axes}", lambda x: jnp.transpose(x, axes))

    def reshape(self, *shape: int) -> "Weight":
        """The same numbers in another shape, in the order in which they lie in memory."""
        return self._then(f"reshape{shape}", lambda x: jnp.reshape(x, shape))

    def flip(self, *axes: int) -> "Weight":
        """Reversed along these axes."""
        return self._then(f"flip{axes}", lambda x: jnp.flip(x, axes))

    def split(self, parts: int, axis: int = 0) -> "tuple[Weight, ...]":
        """Equal parts along an axis, such as the gates of an LSTM or the q, k and v of an attention."""
        return tuple(self._then(f"split({parts}, {axis})[{i}]", partial(_part, i, parts, axis)) for i in range(parts))

    def __getitem__(self, index: Any) -> "Weight":
        return self._then(f"[{index!r}]", lambda x: x[index], dot="")

    def __add__(self, other: "Weight | float") -> "Weight":
        if not isinstance(other, Weight):
            return Weight(self.sources, lambda arrays: self.compute(arrays) + other, f"({self} + {other})")
        return Weight(
            (*self.sources, *other.sources), lambda a: self.compute(a) + other.compute(a), f"({self} + {other})"
        )

    def then(self, function: Callable[..., Any], *others: "Weight") -> "Weight":
        """A function in jnp of this weight, and of others.

        >>> take("a").then(jnp.multiply, take("b")).compute({"a": 2.0, "b": 3.0}).item()
        6.0
        """
        weights = (self, *others)
        return Weight(
            tuple(source for weight in weights for source in weight.sources),
            lambda arrays: function(*(weight.compute(arrays) for weight in weights)),
            f"{getattr(function, '__name__', 'function')}({', '.join(map(repr, weights))})",
        )

    def _then(self, text: str, change: Callable[[Any], Any], dot: str = ".") -> "Weight":
        return Weight(self.sources, lambda arrays: change(self.compute(arrays)), f"{self.text}{dot}{text}")


def _part(i: int, parts: int, axis: int, x: Any) -> Any:
    return jnp.split(x, parts, axis)[i]


def take(name: str) -> Weight:
    """One of torch's weights, by its name in the state_dict."""
    return Weight((name,), lambda arrays: arrays[name], f"take({name!r})", "same")


def constant(value: Any, shape: tuple[int, ...]) -> Weight:
    """An array of one number that torch does not have, such as the zeros of a bias."""
    return Weight((), lambda arrays: jnp.full(shape, value), f"constant({value}, {shape})")


def concatenate(weights: Sequence[Weight], axis: int = 0) -> Weight:
    """Several weights joined along an axis."""
    return _joined("concatenate", jnp.concatenate, weights, axis)


def stack(weights: Sequence[Weight], axis: int = 0) -> Weight:
    """Several weights along a new axis, such as the layers that a `scan` walks."""
    return _joined("stack", jnp.stack, weights, axis)


def _joined(name: str, join: Callable[..., Any], weights: Sequence[Weight], axis: int) -> Weight:
    sources = tuple(source for weight in weights for source in weight.sources)
    text = f"{name}([{', '.join(map(repr, weights))}], {axis})"
    return Weight(sources, lambda arrays: join([weight.compute(arrays) for weight in weights], axis), text)


def assemble(weights: Mapping[str, Weight], like: Any) -> Callable[[Arrays], Any]:
    """The function from torch's arrays to the JAX model's variables that a mapping means.

    Args:
      weights: a weight for every leaf of `like`, by its name.
      like: the variables, or their shapes.

    Raises:
      ValueError: when it is called, a weight whose shape is not that of its leaf.
    """
    leaves = named_leaves(like)

    def variables(arrays: Arrays) -> Any:
        made = []
        for name, leaf in leaves.items():
            value = jnp.asarray(weights[name].compute(arrays))
            if value.shape != tuple(leaf.shape):
                raise ValueError(f"{name} has shape {tuple(leaf.shape)}, and {weights[name]} gives {value.shape}")
            made.append(value)
        return jax.tree.unflatten(jax.tree.structure(like), made)

    return variables
