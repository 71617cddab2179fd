"""Dropout left out, at another rate, without its factor, or in another shape; in training mode."""

from collections.abc import Iterator

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.sites import Candidate, Program, Site, instead

_RATES = (0.1, 0.2, 0.5, 0.3, 0.25, 0.4, 0.6, 0.7, 0.75, 0.8, 0.9, 0.05, 0.15, 0.01)
_DROPOUTS = frozenset(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"))


def dropout(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on dropout; nothing where it does nothing."""
    if site.name not in _DROPOUTS or not site.named["training"] or not site.named["p"]:
        return
    p = site.named["p"]
    yield instead(site, "dropout is missing in JAX", lambda x, *args, **kwargs: x, 2)
    keep = 1 - p
    if keep != p:
        hint = f"dropout rate: JAX drops {keep:g}, its rate is the share that torch keeps"
        yield instead(site, hint, lambda x, *args, **kwargs: F.dropout(x, keep))
    for rate in _RATES:
        if rate not in (p, keep):
            hint = f"dropout rate: JAX drops {rate:g}, torch {p:g}"
            yield instead(site, hint, lambda x, *a, _r=rate, **k: F.dropout(x, _r))
    hint = "dropout: JAX does not divide by 1 - rate, what is kept is not rescaled"
    yield instead(site, hint, lambda *args, **kwargs: site.function(*args, **kwargs) * keep)
    hint = "dropout: JAX divides by the rate, torch by 1 - rate"
    yield instead(site, hint, lambda *args, **kwargs: site.function(*args, **kwargs) * keep / p)
    if site.name != "dropout":
        hint = f"dropout: JAX drops single numbers, torch whole channels ({site.name})"
        yield instead(site, hint, lambda x, *args, **kwargs: F.dropout(x, p))
    elif torch.is_tensor(site.output) and site.output.dim() > 2:
        hint = "dropout: JAX drops whole channels, torch single numbers"
        yield instead(site, hint, lambda x, *args, **kwargs: F.dropout1d(x, p) if x.dim() == 3 else F.dropout2d(x, p))
