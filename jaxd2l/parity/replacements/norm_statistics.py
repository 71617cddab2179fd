"""Over what a norm takes its statistics, and what it does with running ones."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import torch

from jaxd2l.parity.replacements.sites import Candidate, Site, bound, instead, with_options


def grouped(site: Site) -> Iterator[Candidate]:
    """Other groups, or statistics over other axes."""
    given = site.named
    x = given["input"]
    if x.dim() < 2:
        return
    channels = x.shape[1]
    theirs = given.get("num_groups", channels)
    if site.name == "group_norm":
        for groups in (g for g in range(1, channels + 1) if channels % g == 0 and g != theirs):
            also = {1: " (LayerNorm over all)", channels: " (InstanceNorm)"}.get(groups, "")
            hint = f"groups: JAX's group_norm has {groups} groups{also}, torch's {theirs}"
            yield instead(site, hint, with_options(site, num_groups=groups))
        if 1 < theirs < channels:
            hint = f"groups: JAX's group_norm puts every {theirs}th channel in one group, torch neighbours"

            def change(*a: Any, **k: Any) -> Any:
                return _norm_over(site, bound(site.function, site.name, a, k), (1, *range(3, x.dim() + 1)), True)

            yield instead(site, hint, change)
    elif not given["training"]:
        return
    names = [
        "batch",
        "group",
        "channel in the group",
        *(("height", "width") if x.dim() == 4 else map("axis {}".format, range(2, x.dim()))),
    ]
    for size in range(1, len(names) + 1):
        for axes in combinations(range(len(names)), size):
            hint = f"axis: JAX's statistics of {site.name} are over {', '.join(names[i] for i in axes)}"

            def change(*a: Any, _x: Any = axes, **k: Any) -> Any:
                return _norm_over(site, bound(site.function, site.name, a, k), _x, False)

            yield instead(site, hint, change)


def _norm_over(site: Site, given: dict[str, Any], axes: tuple[int, ...], interleaved: bool) -> torch.Tensor:
    """Statistics over axes of (batch, group, channel in it, places)."""
    x = given["input"]
    groups = given.get("num_groups", x.shape[1])
    y = x.unflatten(1, (x.shape[1] // groups, groups) if interleaved else (groups, -1))
    normal = (y - y.mean(axes, keepdim=True)) / (y.var(axes, correction=0, keepdim=True) + given["eps"]).sqrt()
    return scaled(site.name, normal.reshape(x.shape), given)


def running(site: Site) -> Iterator[Candidate]:
    """Another use of the running averages."""
    given = site.named
    if given["training"]:
        if given["running_mean"] is not None:
            hint = (
                "running statistics in training mode: JAX normalises with the running averages, torch with the batch's"
            )
            yield instead(site, hint, with_options(site, training=False))
        return

    def fresh(given: dict[str, Any]) -> dict[str, Any]:
        return {
            "running_mean": torch.zeros_like(given["running_mean"]),
            "running_var": torch.ones_like(given["running_var"]),
        }

    ways = {
        "running statistics are fresh in JAX: mean 0 and variance 1, torch's are not used": fresh,
        "running statistics: JAX takes the root of the running variance (var) for it": lambda g: {
            "running_var": g["running_var"].sqrt()
        },
        "running statistics: JAX takes the root of the running variance (var) for it, in float32": lambda g: {
            "running_var": torch.from_numpy(np.sqrt(g["running_var"].numpy().astype(np.float32)).astype(np.float64))
        },
        "running statistics: JAX squares the running variance (var)": lambda g: {"running_var": g["running_var"] ** 2},
        "running mean and running variance are swapped in JAX": lambda g: {
            "running_mean": g["running_var"], "running_var": g["running_mean"],
        },
        "running mean and running variance are swapped in JAX, and negative variances made positive": lambda g: {
            "running_mean": g["running_var"], "running_var": g["running_mean"].abs(),
        },
        "running mean is not used in JAX: it is 0": lambda g: {"running_mean": torch.zeros_like(g["running_mean"])},
        "running variance is not used in JAX: it is 1": lambda g: {"running_var": torch.ones_like(g["running_var"])},
        "running mean: JAX adds it, torch subtracts it": lambda g: {"running_mean": -g["running_mean"]},
        "running variance: JAX multiplies by its root": lambda g: {"running_var": 1 / g["running_var"]},
    }  # fmt: skip
    for hint, way in ways.items():

        def change(*args: Any, _way: Any = way, **kwargs: Any) -> Any:
            given = bound(site.function, site.name, args, kwargs)
            return site.function(**given | _way(given))

        yield instead(site, f"{hint}", change)
    hint = "running statistics are ignored: JAX normalises with the batch's statistics in evaluation mode"
    yield instead(site, hint, with_options(site, training=True, running_mean=None, running_var=None))


def scaled(name: str, out: torch.Tensor, given: dict[str, Any]) -> torch.Tensor:
    """With the gain and the bias of the norm, if there are any."""
    shape = [-1] if name in ("layer_norm", "rms_norm") else [1, -1, *[1] * (out.dim() - 2)]
    for which, function in (("weight", torch.mul), ("bias", torch.add)):
        if (value := given.get(which)) is not None:
            out = function(out, value if len(shape) == 1 else value.reshape(shape))
    return out
