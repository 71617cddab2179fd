"""Many MLPs in torch at once: `torch.func.vmap` over stacked parameters. Needs `pip install jaxd2l[parity]`."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from jaxd2l.bench.torch_loops import in_memory, random_batches
from jaxd2l.bench.torch_models import MLP
from jaxd2l.types import Batch


def epoch_of_many(
    rates: Sequence[float], train: Batch, batch_size: int, sizes: tuple[int, ...] = (784, 256, 10)
) -> Callable[[Iterable[Tensor] | None], Tensor]:
    """Gives a function that trains one MLP for each learning rate, all on the same batches, by plain SGD.

    It takes the indices of each batch (None: a fresh random order) and returns the losses, (steps, models).
    """
    nets: list[torch.nn.Module] = [MLP(*sizes) for _ in rates]
    params, _ = stack_module_state(nets)
    x, y = in_memory(*train)
    lr = torch.tensor(rates)

    def loss(params: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(functional_call(nets[0], params, (inputs,)), labels)

    step = vmap(grad_and_value(loss), in_dims=(0, None, None))

    def epoch(batches: Iterable[Tensor] | None) -> Tensor:
        losses = []
        with torch.no_grad():
            for indices in random_batches(len(y), batch_size) if batches is None else batches:
                gradients, values = step(params, x[indices], y[indices])
                for name, gradient in gradients.items():
                    params[name] -= lr.view(-1, *[1] * (gradient.dim() - 1)) * gradient
                losses.append(values)
        return torch.stack(losses)

    return epoch
