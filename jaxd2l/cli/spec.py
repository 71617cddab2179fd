"""What a SPEC of `jaxd2l parity` may define. Imports nothing heavy, so that --help answers at once."""

REQUIRED = {
    "torch_module": "the torch.nn.Module",
    "jax_model": "its port: a Model, a Linen, NNX, Equinox or Haiku module, or a pair (init, apply)",
    "batch": "(inputs, labels), or a list of such pairs",
}
OPTIONAL = {
    "weights": "how torch's weights become JAX's: 'auto', a mapping, or a function",
    "loss": "(torch_loss, jax_loss), each loss(outputs, labels)",
    "optim": "(torch_factory, tx); needs loss",
    "torch_step": "torch_step(module, optimizer, step), in place of optimizer.step(): clipping, schedules",
    "steps": "length of the training run (default: 100)",
    "oracle": "'float64', the only one",
    "to_jax": "a layout, 'NCHW->NHWC', or a function of torch's inputs",
    "outputs": "(torch_function, jax_function), what to compare of the outputs",
    "mode": "'eval' or 'train'",
    "seed": "decides the noise that measures how far roundings carry (default: 0)",
    "precision": "'float32' (default), 'bfloat16', 'tf32', or 'default': as each library computes on this device",
}

EXAMPLE = (
    "import numpy as np",
    "import torch",
    "from jaxd2l import models",
    "",
    "torch_module = torch.nn.Linear(784, 10)",
    "jax_model = models.softmax_regression(784, 10)",
    "batch = (np.random.default_rng(0).normal(size=(8, 784)), np.arange(8))",
)
"""A whole SPEC, line by line."""


def text() -> str:
    """What --help says below the options."""
    width = max(map(len, [*REQUIRED, *OPTIONAL]))
    listed = "\n".join(f"  {name:{width}}  {what}" for name, what in {**REQUIRED, **OPTIONAL}.items())
    example = "\n".join(f"  {line}".rstrip() for line in EXAMPLE)
    return (
        f"A SPEC is a Python file that defines arguments of parity.check, the first {len(REQUIRED)} at least:\n\n"
        f"{listed}\n\nfor example:\n\n{example}\n\n"
        "exit codes: 0 all comparisons hold; 1 some fail, or the SPEC or its models do; 2 a wrong call; 130 Ctrl-C"
    )
