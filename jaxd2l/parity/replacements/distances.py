"""Another distance between outputs and targets: squared, absolute, by margins, between distributions."""

from collections.abc import Iterator
from typing import Any

from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.losses import with_inputs
from jaxd2l.parity.replacements.sites import Candidate, Program, Site, bound, instead, with_options


def distances(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on a loss that is no cross-entropy, besides its reduction."""
    if site.name in _OWN:
        yield from _OWN[site.name](site, site.named)


_ALSO = dict.fromkeys(("huber_loss", "smooth_l1_loss"), "huber_loss or smooth_l1_loss, one at delta 1,")


def _squared(site: Site, given: dict[str, Any]) -> Iterator[Candidate]:
    option = {"smooth_l1_loss": "beta", "huber_loss": "delta"}.get(site.name)
    for value in (0.1, 0.5, 1.0, 1.35, 2.0, 1 / 9) if option else ():
        if option and value != given[option]:
            yield instead(
                site,
                f"{site.name}: matches with {option}={value:g}, torch has {given[option]:g}",
                with_options(site, **{option: value}),
            )
    if option:
        scale = given[option]
        for factor, way in ((scale, "multiplied"), (1 / scale, "divided")) if scale else ():
            if factor != 1:
                hint = f"{site.name}: JAX's is {way} by {option}: one of smooth_l1 and huber for the other"
                yield instead(site, hint, lambda *a, _f=factor, **k: site.function(*a, **k) * _f)
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        if name != site.name:
            function = getattr(F, name)
            hint = f"{_ALSO.get(name, name)} in place of {site.name} in JAX"
            yield instead(site, hint, lambda x, y, *a, _f=function, **k: _f(x, y, reduction=given["reduction"]))
    hint = f"root: JAX takes the root of {site.name}"
    yield instead(site, hint, lambda *a, **k: site.function(*a, **k).sqrt())
    hint = f"missing mean: JAX sums over the features and takes the mean over examples in {site.name}"
    rest = given["input"][0].numel() if given["input"].dim() else 1
    yield instead(site, hint, lambda *a, **k: site.function(*a, **k) * rest)
    yield instead(site, f"factor 1/2: JAX has half of {site.name}", lambda *a, **k: site.function(*a, **k) / 2)


def _divergence(site: Site, given: dict[str, Any]) -> Iterator[Candidate]:
    flag = not given["log_target"]
    hint = f"kl_div: matches with log_target={flag}"
    yield instead(site, hint, with_options(site, log_target=flag))

    def turned(*args: Any, **kwargs: Any) -> Any:
        g = bound(site.function, site.name, args, kwargs)
        target = g["target"] if g["log_target"] else g["target"].log()
        return site.function(**g | {"input": target, "target": g["input"], "log_target": True})

    yield instead(site, "kl_div: its arguments are swapped in JAX, KL(p | q) for KL(q | p)", turned)
    hint = "kl_div: JAX leaves out the target's own entropy: it is a cross-entropy"

    def cross(*args: Any, **kwargs: Any) -> Any:
        g = bound(site.function, site.name, args, kwargs)
        p = g["target"].exp() if g["log_target"] else g["target"]
        terms = -(p * g["input"])
        return {"batchmean": terms.sum() / len(terms), "mean": terms.mean(), "sum": terms.sum()}[g["reduction"]]

    yield instead(site, hint, cross)


def _margins(site: Site, given: dict[str, Any]) -> Iterator[Candidate]:
    for margin in (0.0, 0.1, 0.2, 0.5, 1.0, 2.0):
        if margin != given.get("margin"):
            yield instead(
                site,
                f"margin: JAX's {site.name} has {margin:g}, torch's {given['margin']:g}",
                with_options(site, margin=margin),
            )
    if "p" in given and site.name == "triplet_margin_loss":
        for hint, way in (
            ("JAX takes squared distances", None),
            (
                "positive and negative are swapped in JAX",
                lambda g: {"positive": g["negative"], "negative": g["positive"]},
            ),
        ):
            if way is not None:
                yield instead(site, f"{site.name}: {hint}", lambda *a, _w=way, **k: with_inputs(site, a, k, _w))

        def squared(*args: Any, **kwargs: Any) -> Any:
            g = bound(site.function, site.name, args, kwargs)
            near, far = (((g["anchor"] - g[n]) ** 2).sum(-1) for n in ("positive", "negative"))
            terms = (near - far + g["margin"]).clamp_min(0)
            return terms.mean() if g["reduction"] == "mean" else terms.sum()

        yield instead(site, f"{site.name}: JAX takes squared distances", squared)


def _counts(site: Site, given: dict[str, Any]) -> Iterator[Candidate]:
    for option in ("full", "log_input"):
        if option in given:
            hint = f"{site.name}: matches with {option}={not given[option]}, torch has {given[option]}"
            yield instead(site, hint, with_options(site, **{option: not given[option]}))
    if site.name == "gaussian_nll_loss":
        hint = "gaussian_nll_loss: JAX takes the variance for its logarithm or its root"
        yield instead(site, hint, lambda *a, **k: with_inputs(site, a, k, lambda g: {"var": g["var"] ** 2}))
        yield instead(site, hint, lambda *a, **k: with_inputs(site, a, k, lambda g: {"var": g["var"].exp()}))


_OWN: dict[str, Any] = {
    "mse_loss": _squared,
    "l1_loss": _squared,
    "smooth_l1_loss": _squared,
    "huber_loss": _squared,
    "kl_div": _divergence,
    "triplet_margin_loss": _margins,
    "margin_ranking_loss": _margins,
    "hinge_embedding_loss": _margins,
    "cosine_embedding_loss": _margins,
    "poisson_nll_loss": _counts,
    "gaussian_nll_loss": _counts,
}
