"""Clauses of the contract on convolution and pooling (D2L 7.2 to 7.6)."""

from parity_tests.contract.clause import Clause

_TORCH = "torch.arange(16.).reshape(1, 1, 4, 4)"
_JAX = "jnp.arange(16.).reshape(1, 4, 4, 1)"

IMAGES = (
    Clause(
        "shape of a kernel",
        "7.4.2",
        ("torch.nn.Conv2d(2, 3, (4, 5)).weight.shape", "(3, 2, 4, 5)"),
        (
            "linen.Conv(3, (4, 5)).init(jax.random.key(0), jnp.ones((1, 9, 9, 2)))['params']['kernel'].shape",
            "(4, 5, 2, 3)",
        ),
        "Transpose torch's by (2, 3, 1, 0). Images are (n, height, width, channels).",
        ("layers.model(layers.conv(3, (4, 5)), (9, 9, 2)).init(jax.random.key(0))['kernel'].shape", "(4, 5, 2, 3)"),
    ),
    Clause(
        "padding that is not asked for",
        "7.3.1",
        ("torch.nn.Conv2d(1, 1, 3)(torch.ones(1, 1, 8, 8)).shape", "(1, 1, 6, 6)"),
        ("linen.Conv(1, (3, 3)).init_with_output(jax.random.key(0), jnp.ones((1, 8, 8, 1)))[0].shape", "(1, 8, 8, 1)"),
        "None, as torch; `linen.Conv` and `nnx.Conv` pad SAME by default.",
        ("models.conv2d(jnp.ones((1, 8, 8, 1)), jnp.ones((3, 3, 1, 1))).shape", "(1, 6, 6, 1)"),
    ),
    Clause(
        "padding at stride 2, where SAME has the right shape",
        "7.3.2",
        (f"F.max_pool2d({_TORCH}, 3, 2, 1).ravel()", "[5, 7, 13, 15]"),
        (f"linen.max_pool({_JAX}, (3, 3), (2, 2), 'SAME').ravel()", "[10, 11, 14, 15]"),
        'SAME pads (0, 1) here, torch (1, 1). Give numbers; "same" is refused at stride 2, as in torch.',
        (f"models.max_pool({_JAX}, 3, stride=2, padding=1).ravel()", "[5, 7, 13, 15]"),
    ),
    Clause(
        "stride of a pool that is not asked for",
        "7.5.2",
        (f"F.max_pool2d({_TORCH}, 2).shape", "(1, 1, 2, 2)"),
        (f"linen.max_pool({_JAX}, (2, 2)).shape", "(1, 3, 3, 1)"),
        "The size of the window, as torch; Flax's is 1.",
        (f"models.max_pool({_JAX}, 2).shape", "(1, 2, 2, 1)"),
    ),
    Clause(
        "max pooling of negative numbers, padded",
        "7.5.2",
        (f"F.max_pool2d(-1 - {_TORCH}, 3, 2, 1).ravel()", "[-1, -2, -5, -6]"),
        (f"linen.max_pool(-1 - {_JAX}, (3, 3), (2, 2), ((1, 1), (1, 1))).ravel()", "[-1, -2, -5, -6]"),
        "All pad with minus infinity; the book's JAX tab with 0, which would win.",
        (f"models.max_pool(-1 - {_JAX}, 3, stride=2, padding=1).ravel()", "[-1, -2, -5, -6]"),
    ),
    Clause(
        "slope of a max pool on a tie",
        "7.5.1",
        ("torch.func.grad(lambda x: F.max_pool2d(x, 2).sum())(torch.zeros(1, 1, 2, 2)).ravel()", "[1, 0, 0, 0]"),
        (
            "jax.grad(lambda x: x.reshape(1, 1, 2, 1, 2, 1).max((2, 4)).sum())(jnp.zeros((1, 2, 2, 1))).ravel()",
            "[0.25, 0.25, 0.25, 0.25]",
        ),
        "The first gets all, as torch; a maximum over reshaped axes shares it out.",
        ("jax.grad(lambda x: models.max_pool(x, 2).sum())(jnp.zeros((1, 2, 2, 1))).ravel()", "[1, 0, 0, 0]"),
    ),
    Clause(
        "mean pooling, padded: what counts",
        "7.5.2",
        (f"F.avg_pool2d({_TORCH}, 3, 2, 1).ravel()[0]", "1.111"),
        (f"linen.avg_pool({_JAX}, (3, 3), (2, 2), ((1, 1), (1, 1))).ravel()[0]", "1.111"),
        "The zeros count unless `count_include_pad=False`.",
        (f"models.mean_pool({_JAX}, 3, stride=2, padding=1).ravel()[0]", "1.111"),
    ),
    Clause(
        "pooling with a row left over, ceil_mode",
        "7.5.2",
        ("F.max_pool2d(torch.arange(9.).reshape(1, 1, 3, 3), 2, ceil_mode=True).ravel()", "[4, 5, 7, 8]"),
        ("linen.max_pool(jnp.arange(9.).reshape(1, 3, 3, 1), (2, 2), (2, 2)).ravel()", "[4]"),
        "`ceil_mode`, as in torch; Flax has none.",
        ("models.max_pool(jnp.arange(9.).reshape(1, 3, 3, 1), 2, ceil_mode=True).ravel()", "[4, 5, 7, 8]"),
    ),
    Clause(
        "order after a flatten",
        "7.6.1",
        ("torch.nn.Flatten()(torch.arange(8.).reshape(1, 2, 2, 2))", "[[0, 1, 2, 3, 4, 5, 6, 7]]"),
        ("jnp.arange(8.).reshape(1, 2, 2, 2).transpose(0, 2, 3, 1).reshape(1, -1)", "[[0, 4, 1, 5, 2, 6, 3, 7]]"),
        "Channels last: permute the rows of the next layer's kernel. A port that forgets it has the right shapes.",
        (
            "x = jnp.arange(8.).reshape(1, 2, 2, 2).transpose(0, 2, 3, 1);"
            "layers.model(layers.flatten(), (2, 2, 2)).apply((), x)",
            "[[0, 4, 1, 5, 2, 6, 3, 7]]",
        ),
    ),
    Clause(
        "bound of a convolution's first weights",
        "7.6.1",
        ("(100 * torch.nn.Conv2d(1, 1000, 5).weight.abs().max()).round()", "20"),
        (
            "v = linen.Conv(1000, (5, 5)).init(jax.random.key(0), jnp.ones((1, 5, 5, 1)));"
            "(100 * jnp.abs(v['params']['kernel']).max()).round()",
            "45",
        ),
        "1/sqrt(25) in torch, a truncated normal in Flax. `initializers.torch_linear` and `flax_linear` give either.",
        (
            "v = initializers.torch_linear()(jax.random.key(0), 1, 1000, window=(5, 5));"
            "(100 * jnp.abs(v['kernel']).max()).round()",
            "20",
        ),
    ),
)
