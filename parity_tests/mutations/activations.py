"""Defects in the activations (D2L 4.1, 5.1)."""

from parity_tests.mutations.planting import defects

_SUM = "jnp.sum(exponentials, axis, keepdims=True)"
_LOG_SUM = "jnp.log(jnp.sum(jnp.exp(shifted), axis, keepdims=True))"
_RELU = 'jax.nn.relu(floating("x", x))'
_SIGMOID = 'jax.nn.sigmoid(floating("x", x))'
_SOFTMAX = "softmax axis=-1|softmax 1000"
_LOG_SOFTMAX = "log_softmax axis=-1|log_softmax 1000|scores far apart"

ACTIVATIONS = (
    *defects(
        "activations.softmax",
        ("normalised along the wrong axis", _SUM, "jnp.sum(exponentials, 0, keepdims=True)", "softmax axis"),
        ("not normalised", f" / {_SUM}", "", _SOFTMAX),
        ("mean instead of sum", "jnp.sum(", "jnp.mean(", _SOFTMAX),
        ("maximum not subtracted", "_subtract_max(x, axis)", "x", "softmax logits"),
        ("epsilon 1e-6 below the fraction", _SUM, f"({_SUM} + 1e-6)", _SOFTMAX),
        ("epsilon 1e-9 below the fraction", _SUM, f"({_SUM} + 1e-9)", _SOFTMAX),
        (
            "exponentials in float16",
            "jnp.exp(_subtract_max(x, axis))",
            "jnp.exp(_subtract_max(x, axis).astype('float16')).astype(x.dtype)",
            _SOFTMAX,
        ),
        (
            "exponentials in float32 throughout",
            "jnp.exp(_subtract_max(x, axis))",
            "jnp.exp(_subtract_max(x, axis).astype('float32')).astype(x.dtype)",
            _SOFTMAX,
        ),
        ("powers of 2", "jnp.exp(_", "jnp.exp2(_", _SOFTMAX),
    ),
    *defects(
        "activations.log_softmax",
        ("log of the rounded softmax", f"shifted - {_LOG_SUM}", "jnp.log(softmax(x, axis))", _LOG_SOFTMAX),
        ("summed along the wrong axis", "jnp.exp(shifted), axis", "jnp.exp(shifted), 0", "log_softmax axis"),
        ("maximum not subtracted", "_subtract_max(x, axis)", "x", "log_softmax logits"),
        ("maximum added back", f"shifted - {_LOG_SUM}", f"x - {_LOG_SUM}", _LOG_SOFTMAX),
        ("log2", "jnp.log(jnp", "jnp.log2(jnp", _LOG_SOFTMAX),
        ("epsilon 1e-8 in the logarithm", "keepdims=True))", "keepdims=True) + 1e-8)", _LOG_SOFTMAX),
        ("sum in bfloat16", "jnp.exp(shifted), axis", "jnp.exp(shifted), axis, dtype='bfloat16'", _LOG_SOFTMAX),
    ),
    *defects(
        "activations.relu",
        ("derivative 1/2 at 0", _RELU, "jnp.maximum(x, 0)", "relu|kinks"),
        ("derivative 1 at 0", _RELU, "jnp.where(x >= 0, x, 0)", "relu|kinks"),
        ("capped at 6", "jax.nn.relu(", "jax.nn.relu6(", "relu"),
        ("smooth", "jax.nn.relu(", "jax.nn.softplus(", "relu"),
    ),
    *defects(
        "activations.sigmoid",
        ("overflows", _SIGMOID, "1 / (1 + jnp.exp(-x))", "sigmoid"),
        ("piecewise linear", "jax.nn.sigmoid(", "jax.nn.hard_sigmoid(", "sigmoid"),
        ("twice as steep", "(floating(", "(2 * floating(", "sigmoid"),
        ("e^x / (1 + e^x)", _SIGMOID, "jnp.exp(x) / (1 + jnp.exp(x))", "sigmoid"),
    ),
    *defects(
        "activations.tanh",
        ("2 sigmoid(2x) - 1 cancels near 0", 'jnp.tanh(floating("x", x))', "2 * jax.nn.sigmoid(2 * x) - 1", "tanh"),
        ("piecewise linear", "jnp.tanh(", "jax.nn.hard_tanh(", "tanh"),
    ),
    *defects(
        "activations.leaky_relu",
        ("derivative 1 at 0", "x > 0", "x >= 0", "leaky_relu|kinks"),
        ("slope squared", "x * negative_slope", "x * negative_slope**2", "leaky_relu"),
        ("slope given is not used", "x * negative_slope", "x * 0.01", "leaky_relu"),
        ("slope not negative enough", "x * negative_slope", "x * -negative_slope", "leaky_relu"),
    ),
    *defects(
        "activations.prelu",
        ("one slope for all channels", "else slope)", "else slope[0])", "prelu"),
        ("slope not learnt", "x * (slope[0]", "x * jax.lax.stop_gradient(slope[0]", "prelu"),
        ("slope on the other side", "x > 0", "x < 0", "prelu"),
    ),
    *defects(
        "activations.swish",
        ("beta not used", "jax.nn.sigmoid(beta * x)", "jax.nn.sigmoid(x)", "swish"),
        ("gate alone", "return x * jax", "return jax", "swish"),
    ),
    *defects(
        "activations.gelu",
        ("tanh formula as the default", "if approximate:", "if not approximate:", "gelu"),
        (
            "sigmoid formula",
            "0.5 * x * jax.scipy.special.erfc(-x * math.sqrt(0.5))",
            "x * jax.nn.sigmoid(1.702 * x)",
            "gelu",
        ),
        ("coefficient 0.0447", "0.044715 * x", "0.0447 * x", "gelu tanh"),
        ("coefficient 0.8", "math.sqrt(2 / math.pi)", "0.8", "gelu tanh"),
        ("half missing", "return 0.5 * x * jax", "return x * jax", "gelu"),
    ),
)
