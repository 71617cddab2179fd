"""One way to call a model, whether it keeps running averages or not."""

from typing import Any

from jaxtyping import Array, PRNGKeyArray

from jaxd2l.types import Model, ModelState, Params, StatefulModel


def init(model: Model | StatefulModel, key: PRNGKeyArray) -> tuple[Params, ModelState]:
    """Parameters and state; a `Model` has the state ()."""
    return model.init(key) if isinstance(model, StatefulModel) else (model.init(key), ())


def forward(
    model: Model | StatefulModel,
    params: Params,
    state: ModelState,
    inputs: Any,
    *,
    train: bool = False,
    key: PRNGKeyArray | None = None,
) -> tuple[Array, ModelState]:
    """Outputs and the next state; a `Model` leaves it as it is."""
    if isinstance(model, StatefulModel):
        return model.apply(params, state, inputs, train=train, key=key)
    return model.apply(params, inputs, key=key), state
