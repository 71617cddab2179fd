"""The ways of running a subject, in JAX and in torch, and how far two results are apart."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from parity_tests.invariance.subjects import Subject


def loop(step: Callable[[Any, Any], tuple[Any, Any]], subject: Subject) -> Any:
    """Runs the subject's batches one after the other; the last carry and the stacked outputs."""
    carry, outputs = subject.carry, []
    for i in range(len(jax.tree.leaves(subject.batches)[0])):
        carry, output = step(carry, jax.tree.map(lambda a, i=i: a[i], subject.batches))
        outputs.append(output)
    return carry, jax.tree.map(lambda *a: jnp.stack(a), *outputs)


def ways(subject: Subject) -> dict[str, Any]:
    """The subject's results op by op, as a jitted loop and as a scan; by example also under vmap and alone."""
    step, first = jax.jit(subject.step), jax.tree.map(lambda a: a[0], subject.batches)
    results = {
        "eager": loop(subject.step, subject),
        "jit": loop(step, subject),
        "scan": jax.jit(lambda carry, batches: jax.lax.scan(subject.step, carry, batches))(
            subject.carry, subject.batches
        ),
    }
    if subject.by_example:

        def one(example: Any) -> Any:
            return jax.tree.map(lambda a: a[0], subject.step((), jax.tree.map(lambda a: a[None], example))[1])

        results["batch"] = step((), first)[1]
        results["vmap"] = jax.jit(jax.vmap(one))(first)
        results["alone"] = jnp.concatenate(
            [step((), jax.tree.map(lambda a, i=i: a[i : i + 1], first))[1] for i in range(4)]
        )
    return results


def torch_ways(subject: Subject) -> dict[str, Any]:
    """What torch gives for the first batch, and for its first four examples alone."""
    if subject.torch is None:
        return {}
    first = [torch.tensor(np.asarray(a[0])) for a in jax.tree.leaves(subject.batches)]
    results = {"torch": subject.torch(*first)}
    if subject.by_example:
        results["torch alone"] = torch.cat([subject.torch(*(a[i : i + 1] for a in first)) for i in range(4)])
    return results


def ulps(a: Any, b: Any) -> float:
    """Largest difference, in ULP of the largest element of the array that holds it; 0 is bitwise equality."""
    worst = 0.0
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        if np.issubdtype(x.dtype, np.floating) and x.size:
            difference = np.max(np.abs(x.astype(np.float64) - y))
            worst = max(worst, float(difference / np.spacing(np.max(np.abs(x)))))
    return worst
