"""Another option of a loss: smoothing, weights, ignored labels, the axis of classes, the reduction."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.sites import Candidate, Program, Site, bound, instead, with_options

_SMOOTHINGS = (0.0, 0.1, 0.05, 0.2, 0.01, 0.3, 0.5)
_WITH_REDUCTION = frozenset(
    """cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss kl_div binary_cross_entropy
    binary_cross_entropy_with_logits poisson_nll_loss gaussian_nll_loss hinge_embedding_loss margin_ranking_loss
    cosine_embedding_loss triplet_margin_loss soft_margin_loss multi_margin_loss multilabel_margin_loss
    ctc_loss""".split()  # noqa: SIM905
)


def losses(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on a loss of torch's."""
    if site.name not in _WITH_REDUCTION:
        return
    given = site.named
    if site.name in _OWN:
        yield from _OWN[site.name](site, given)
    for reduction in ("sum", "mean"):
        if reduction != given["reduction"]:
            words = "missing mean" if reduction == "sum" else "a mean too many"
            hint = f"{words}: matches with reduction='{reduction}'"
            yield instead(
                site, hint, with_options(site, reduction=reduction), 4
            )  # a plain ratio says it with its number
    if site.name == "kl_div":
        for reduction in ("batchmean", "mean", "sum"):
            if reduction != given["reduction"]:
                hint = f"reduction: matches with reduction='{reduction}' in kl_div, torch has '{given['reduction']}'"
                yield instead(site, hint, with_options(site, reduction=reduction))


def _cross_entropy(site: Site, given: dict[str, Any]) -> Iterator[Candidate]:
    logits, target = given["input"], given["target"]
    theirs = given["label_smoothing"]
    classes = logits.shape[1] if logits.dim() > 1 else logits.shape[0]
    for smoothing in _SMOOTHINGS:
        if smoothing != theirs:
            what = "label smoothing is missing in JAX" if not smoothing else f"label smoothing: JAX has {smoothing:g}"
            yield instead(site, f"{what}, torch {theirs:g}", with_options(site, label_smoothing=smoothing))
    for smoothing in {theirs, *_SMOOTHINGS} - {0.0}:
        hint = (
            f"label smoothing: JAX gives {smoothing:g}/(C-1) to each wrong class, torch {smoothing:g}/C to every class"
        )
        if smoothing * classes / (classes - 1) < 1:
            yield instead(site, hint, with_options(site, label_smoothing=smoothing * classes / (classes - 1)))
    if given["weight"] is not None:
        yield instead(site, "class weights are missing in JAX's loss", with_options(site, weight=None))
        if not target.is_floating_point():
            hint = "class weights: JAX divides by the number of examples, torch by the sum of their weights"

            def by_count(*args: Any, **kwargs: Any) -> Any:
                g = bound(site.function, site.name, args, kwargs) | {"reduction": "none"}
                return site.function(**g).mean()

            yield instead(site, hint, by_count)
        yield instead(site, "class weights are inverted in JAX's loss", with_options(site, weight=1 / given["weight"]))
    if not target.is_floating_point():
        yield from _ignored(site, given)
        for axis in range(logits.dim()):
            if axis != 1 and logits.dim() > 2 and logits.shape[axis] == classes:

                def moved(*a: Any, _x: Any = axis, **k: Any) -> Any:
                    return with_inputs(site, a, k, lambda g: {"input": g["input"].transpose(1, _x)})

                yield instead(site, f"class axis: JAX's classes are along axis {axis}, torch's along axis 1", moved)
        if logits.dim() > 2:
            for axis in (-1, 2):
                hint = f"class axis: JAX normalises over axis {axis}, torch over axis 1"
                yield instead(
                    site,
                    hint,
                    lambda *a, _x=axis, **k: _normalised_over(site, bound(site.function, site.name, a, k), _x),
                )
    if given["reduction"] == "mean" and logits.dim() > 2:
        hint = "missing mean: JAX sums over places and takes the mean over examples"
        places = (
            target.numel() // len(target) if not target.is_floating_point() else target[:, 0].numel() // len(target)
        )
        yield instead(site, hint, lambda *a, **k: site.function(*a, **k) * places)


def with_inputs(site: Site, args: Any, kwargs: Any, way: Any) -> Any:
    """A loss of other inputs, which `way(arguments)` gives by their names."""
    given = bound(site.function, site.name, args, kwargs)
    return site.function(**given | way(given))


def _normalised_over(site: Site, given: dict[str, Any], axis: int) -> torch.Tensor:
    scores = F.log_softmax(given["input"], axis)
    return F.nll_loss(
        scores, given["target"], given["weight"], ignore_index=given["ignore_index"], reduction=given["reduction"]
    )


def _ignored(site: Site, given: dict[str, Any]) -> Iterator[Candidate]:
    target, ignored = given["target"], given["ignore_index"]
    classes = given["input"].shape[1] if given["input"].dim() > 1 else len(given["input"])
    if bool((target == ignored).any()):

        def counted(*args: Any, **kwargs: Any) -> Any:
            g = bound(site.function, site.name, args, kwargs) | {"reduction": "none"}
            return site.function(**g).mean()

        hint = f"ignored labels: JAX divides by the number of all labels, torch by those that are not {ignored}"
        yield instead(site, hint, counted)
        ways = {"as the last class": ignored % classes if ignored < 0 else classes - 1, "as class 0": 0}
        if 0 <= ignored < classes:
            ways = {f"as class {ignored}": ignored}
        for words, label in ways.items():
            hint = f"ignored labels count in JAX: it takes label {ignored} {words}, torch leaves it out (ignore_index)"

            def way(g: Any, _l: Any = label) -> Any:
                return {
                    "target": torch.where(g["target"] == ignored, _l, g["target"]),
                    "ignore_index": -12345,
                }

            yield instead(site, hint, lambda *a, _w=way, **k: with_inputs(site, a, k, _w))
    for index in {0, classes - 1, -1} - {ignored}:
        hint = f"ignored labels: JAX leaves out label {index}, torch does not (ignore_index)"
        yield instead(site, hint, with_options(site, ignore_index=index))


def _binary(site: Site, given: dict[str, Any]) -> Iterator[Candidate]:
    if given.get("pos_weight") is not None:
        yield instead(site, "pos_weight is missing in JAX's loss", with_options(site, pos_weight=None))
        hint = "pos_weight: JAX weighs the negative examples"

        def negative(*args: Any, **kwargs: Any) -> Any:
            g = bound(site.function, site.name, args, kwargs)
            return site.function(**g | {"input": -g["input"], "target": 1 - g["target"]})

        yield instead(site, hint, negative)
    if given["weight"] is not None:
        yield instead(site, "weights of the examples are missing in JAX's loss", with_options(site, weight=None))
    if "logits" in site.name:
        hint = "sigmoid twice: JAX applies sigmoid before a loss that takes logits"
        yield instead(
            site, hint, lambda *a, **k: with_inputs(site, a, k, lambda g: {"input": torch.sigmoid(g["input"])})
        )
    for smoothing in (0.1, 0.05, 0.2):
        hint = f"label smoothing: JAX has {smoothing:g}, torch none"

        def way(g: Any, _s: Any = smoothing) -> Any:
            return {"target": g["target"] * (1 - _s) + _s / 2}

        yield instead(site, hint, lambda *a, _w=way, **k: with_inputs(site, a, k, _w))


_OWN: dict[str, Any] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary,
    "binary_cross_entropy_with_logits": _binary,
}
