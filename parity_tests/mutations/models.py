"""Defects in layers, dropout and initialisers (D2L 3.4, 5.2, 5.4, 5.6)."""

from parity_tests.mutations.planting import defects

_MLP = "mlp tanh depth=1|mlp tanh depth=2"
_DROPOUT = "dropout rate=0.3"
_XAVIER = "gain * math.sqrt(2 / (fan_in + fan_out))"

MODELS = (
    *defects(
        "models.linear",
        ("square kernel transposed", 'layer["kernel"]', 'layer["kernel"].T', "square layer"),
        ("bias missing", ' + layer["bias"]', "", "linear"),
        ("bias twice", '+ layer["bias"]', '+ 2 * layer["bias"]', "linear"),
        ("bias subtracted", '+ layer["bias"]', '- layer["bias"]', "linear"),
        (
            "product in bfloat16",
            'matmul(x, layer["kernel"], precision)',
            '(x.astype("bfloat16") @ layer["kernel"].astype("bfloat16")).astype(x.dtype)',
            "linear",
        ),
        (
            "product in float16",
            'matmul(x, layer["kernel"], precision)',
            '(x.astype("float16") @ layer["kernel"].astype("float16")).astype(x.dtype)',
            "linear",
        ),
        ("epsilon 1e-7", '+ layer["bias"]', '+ layer["bias"] + 1e-7', "linear"),
    ),
    *defects(
        "models._linear.flatten",
        ("columns before rows", "[0], num_inputs)", '[0], num_inputs, order="F")', "images flattened"),
    ),
    *defects(
        "models.mlp",
        (
            "activation on the logits too",
            "return linear(output_layer, h, precision=precision)",
            "return activation(linear(output_layer, h, precision=precision))",
            _MLP,
        ),
        (
            "activation missing",
            "h = activation(linear(layer, h, precision=precision))",
            "h = linear(layer, h, precision=precision)",
            _MLP,
        ),
        (
            "activation before the layer",
            "activation(linear(layer, h, precision=precision))",
            "linear(layer, activation(h), precision=precision)",
            _MLP,
        ),
        (
            "activation twice",
            "activation(linear(layer, h, precision=precision))",
            "activation(activation(linear(layer, h, precision=precision)))",
            _MLP,
        ),
        (
            "gradient cut between layers",
            "linear(output_layer, h, precision=precision)",
            "linear(output_layer, jax.lax.stop_gradient(h))",
            _MLP,
        ),
        ("dropout not done", "if key is not None and", "if key is None and", "mlp with dropout"),
        ("dropout after the first layer only", "dropout_rate > 0:", "dropout_rate > 0 and i == 0:", "mlp with dropout"),
        ("one mask for all layers", "jax.random.fold_in(key, i)", "key", "masks differ"),
    ),
    *defects(
        "models.dropout",
        ("scale missing", "x / (1.0 - rate)", "x", _DROPOUT),
        ("keeps with the rate", "jax.random.bernoulli(key, 1.0 - rate", "jax.random.bernoulli(key, rate", _DROPOUT),
        ("divided by the rate", "x / (1.0 - rate)", "x / rate", _DROPOUT),
        ("rate 1 divides by 0", "rate == 1.0", "False", "dropout rate=1.0"),
        ("one mask for the batch", "x.shape)", "x.shape[1:])", "dropout rate=0.3|masks differ"),
        ("scaled down", "x / (1.0 - rate)", "x * (1.0 - rate)", _DROPOUT),
        ("key not used", "bernoulli(key", "bernoulli(jax.random.key(0)", "masks differ"),
    ),
    *defects("models.init_layers", ("one key for all layers", "init(k, ", "init(keys[0], ", "layers drawn")),
)

INITIALISERS = (
    *defects(
        "initializers.normal", ("variance for deviation", "fan_out: stddev,", "fan_out: stddev**2,", "drawn normal")
    ),
    *defects(
        "initializers.xavier_normal",
        ("fan sum without the 2", "math.sqrt(2 / (", "math.sqrt(1 / (", "drawn xavier_normal"),
        ("fan in alone", _XAVIER, "gain * math.sqrt(1 / fan_in)", "drawn xavier_normal"),
        ("gain squared", "gain * math", "gain**2 * math", "drawn xavier_normal"),
    ),
    *defects(
        "initializers.xavier_uniform",
        ("bound of the deviation", "math.sqrt(2 / (", "math.sqrt(2 / 3 / (", "drawn xavier_uniform"),
        ("normal", '"uniform"', '"normal"', "drawn xavier_uniform"),
    ),
    *defects(
        "initializers._kaiming_stddev",
        ("fan_out for fan_in", 'mode == "fan_in"', 'mode == "fan_out"', "drawn kaiming"),
        ("gain forgotten", "gain / math.sqrt", "1 / math.sqrt", "drawn kaiming"),
        ("variance for deviation", "gain / math.sqrt(", "gain**2 / (", "drawn kaiming"),
    ),
    *defects(
        "initializers._kernel_and_zeros",
        (
            "truncated normal",
            "sd * jax.random.normal(key, shape)",
            "sd / 0.87962566 * jax.random.truncated_normal(key, -2, 2, shape)",
            "drawn",
        ),
        ("not centred", "minval=-bound", "minval=0.0", "drawn"),
        ("bias of ones", "jnp.zeros(num_outputs)", "jnp.ones(num_outputs)", "drawn"),
        ("bound is the deviation", "math.sqrt(3) * sd", "sd", "drawn"),
    ),
    *defects(
        "initializers.torch_linear",
        ("bound 1/in", "1 / math.sqrt(math.prod(shape[:-1]))", "1 / math.prod(shape[:-1])", "drawn torch_linear"),
        ("fan out", "math.prod(shape[:-1])", "num_outputs", "drawn torch_linear"),
        (
            "bias of the outputs' size",
            "(num_outputs,), minval=-bound",
            "(num_outputs,), minval=0.0",
            "drawn torch_linear",
        ),
        ("deviation for bound", "1 / math.sqrt", "math.sqrt(3) / math.sqrt", "drawn torch_linear"),
    ),
    *defects("initializers.flax_linear", ("he's variance", "lecun_normal()", "he_normal()", "drawn flax_linear")),
)
