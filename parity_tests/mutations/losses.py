"""Defects in losses and metrics (D2L 3.1, 4.1 to 4.5)."""

from parity_tests.mutations.planting import defects

_PLAIN = "cross_entropy weight=False ignore=-100 smoothing=0.0 mean"
_SMOOTH = "cross_entropy weight=False ignore=-100 smoothing=0.1"
_WEIGHTED = "cross_entropy weight=True ignore=2 smoothing=0.0"
_IGNORED = "cross_entropy weight=False ignore=2 smoothing=0.0"
_BOTH = "cross_entropy weight=True ignore=2 smoothing=0.1"
_SOFT = "cross_entropy soft labels weight=True smoothing=0.1"
_SHARE = "jnp.where(kept, _pick(jnp.asarray(weight, loss.dtype), labels), 0.0)"

LOSSES = (
    *defects(
        "losses.cross_entropy",
        ("sign", "costs = -log_softmax", "costs = log_softmax", _PLAIN),
        (
            "logsumexp - logit cancels",
            "-log_softmax(logits)",
            "jax.nn.logsumexp(logits, -1, keepdims=True) - logits",
            f"{_PLAIN}|cross_entropy logits + 1e4",
        ),
        ("softmax twice", "-log_softmax(logits)", "-log_softmax(jax.nn.softmax(logits))", _PLAIN),
        ("epsilon 1e-7 in the logarithm", "-log_softmax(logits)", "-jnp.log(jax.nn.softmax(logits) + 1e-7)", _PLAIN),
        (
            "logits in float16",
            "-log_softmax(logits)",
            "-log_softmax(logits.astype('float16')).astype(logits.dtype)",
            _PLAIN,
        ),
        (
            "logits in bfloat16",
            "-log_softmax(logits)",
            "-log_softmax(logits.astype('bfloat16')).astype(logits.dtype)",
            _PLAIN,
        ),
        ("bits, not nats", "-log_softmax(logits)", "-log_softmax(logits) / 0.6931471805599453", _PLAIN),
        ("weights not used", "costs = costs * jnp", "costs * jnp", _WEIGHTED),
        ("weights twice", "costs * jnp.asarray(weight, costs.dtype)", "costs * jnp.asarray(weight) ** 2", _WEIGHTED),
    ),
    *defects(
        "losses._loss_of_classes",
        ("-100 whatever is ignored", "!= ignore_index\n", "!= -100\n", _IGNORED),
        ("ignored examples cost", "loss = jnp.where(kept, loss, 0.0)", "loss = loss", _IGNORED),
        ("ignored examples in the denominator", "kept.astype(loss.dtype)", "jnp.ones_like(loss)", _IGNORED),
        ("ignored weights in the denominator", _SHARE, "_pick(jnp.asarray(weight, loss.dtype), labels)", _WEIGHTED),
        ("weights not in the denominator", _SHARE, "jnp.where(kept, 1.0, 0.0)", _WEIGHTED),
        (
            "smoothing over C - 1",
            "smoothing / costs.shape[-1] * jnp.sum",
            "smoothing / (costs.shape[-1] - 1) * jnp.sum",
            _SMOOTH,
        ),
        ("smoothing on top of the whole label", "loss = (1.0 - smoothing) * _pick", "loss = _pick", _SMOOTH),
        ("smoothing not used", "if smoothing:", "if not smoothing:", _SMOOTH),
        ("smoothing by the mean of sums", "jnp.sum(costs, -1)", "jnp.mean(costs, -1)", _SMOOTH),
        (
            "smoothing without weights",
            "jnp.sum(costs, -1)",
            "jnp.sum(costs / jnp.asarray(weight, costs.dtype), -1)",
            _BOTH,
        ),
        (
            "labels unchecked",
            ' = classes("labels", labels, costs.shape[-1], ignore_index=ignore_index)',
            " = jnp.asarray(labels).astype(jnp.int32)",
            "labels out of range",
        ),
    ),
    *defects(
        "losses._loss_of_probabilities",
        (
            "soft labels: smoothing over C - 1",
            "+ smoothing / costs.shape[-1]",
            "+ smoothing / (costs.shape[-1] - 1)",
            _SOFT,
        ),
        ("soft labels: smoothing on top", "targets = (1.0 - smoothing) * ", "targets = ", _SOFT),
        ("soft labels: hardened", "jnp.asarray(labels, costs.dtype)", "jnp.round(labels)", _SOFT),
        ("soft labels: no gradient", "jnp.asarray(labels, costs.dtype)", "jax.lax.stop_gradient(labels)", _SOFT),
        ("mean over classes", "jnp.sum(targets * costs, -1)", "jnp.mean(targets * costs, -1)", _SOFT),
        ("0 times infinity", "costs = jnp.where", "jnp.where", "impossible class"),
    ),
    *defects(
        "losses._pick",
        ("off-by-one label", "one_hot(labels", "one_hot((labels + 1) % values.shape[-1]", _PLAIN),
        ("no NaN for a label out of range", "jnp.nan", "1.0", "labels out of range"),
    ),
    *defects(
        "losses._reduce",
        ("sum for mean", "jnp.mean(loss) if", "jnp.sum(loss) if", "squared_loss"),
        ("sum for weighted mean", " / jnp.sum(denominators)", "", _PLAIN),
        ("mean for sum", "return jnp.sum(loss)\n", "return jnp.mean(loss)\n", "squared_loss"),
        ("mean over n - 1", "jnp.sum(denominators)", "(jnp.sum(denominators) - 1)", _PLAIN),
        ("epsilon 1e-8 below the mean", "jnp.sum(denominators)", "(jnp.sum(denominators) + 1e-8)", _PLAIN),
    ),
    *defects(
        "losses.cross_entropy_from_probabilities",
        ("sum for mean", "jnp.mean(", "jnp.sum(", "cross_entropy_from"),
        ("epsilon 1e-7 in the logarithm", "jnp.log(_pick", "jnp.log(1e-7 + _pick", "cross_entropy_from"),
        ("probability, not its logarithm", "-jnp.log(_pick", "-(_pick", "cross_entropy_from"),
    ),
    *defects(
        "losses.squared_loss",
        ("half missing", " / 2, None", ", None", "squared_loss"),
        ("absolute", "jnp.square(", "jnp.abs(", "squared_loss"),
        (
            "targets without gradient",
            "square(predictions - targets)",
            "square(predictions - jax.lax.stop_gradient(targets))",
            "squared_loss",
        ),
        ("(n, 1) against (n,) accepted", "require_shapes(", "(lambda *_, **__: None)(", "shapes that do not fit"),
    ),
)

METRICS = (
    *defects(
        "metrics.accuracy",
        ("smallest logit", "jnp.argmax(", "jnp.argmin(", "accuracy"),
        ("wrong axis", "jnp.argmax(logits, -1)", "jnp.argmax(logits, 0)", "accuracy"),
        ("sum for mean", "jnp.mean(correct)", "jnp.sum(correct)", "accuracy"),
        (
            "last of equal logits",
            "jnp.argmax(logits, -1)",
            "(logits.shape[-1] - 1 - jnp.argmax(logits[..., ::-1], -1))",
            "accuracy with ties",
        ),
    ),
    *defects("metrics.error_rate", ("accuracy instead", "1.0 - accuracy", "accuracy", "accuracy")),
    *defects(
        "metrics.confusion_matrix",
        ("transposed", "is_label.T @ is_prediction", "is_prediction.T @ is_label", "confusion_matrix"),
        ("counted twice", "is_label.T", "2 * is_label.T", "confusion_matrix"),
    ),
    *defects("metrics.precision", ("recall instead", "tp, fp, _, _ = ", "tp, _, fp, _ = ", "rates")),
    *defects("metrics.recall", ("precision instead", "tp, _, fn, _ = ", "tp, fn, _, _ = ", "rates")),
    *defects("metrics.f1_score", ("true positives once", "2 * tp + fp", "tp + fp", "rates")),
    *defects("metrics.specificity", ("fall-out instead", "_rate(tn, ", "_rate(fp, ", "rates")),
    *defects("metrics.fall_out", ("odds, not a rate", "fp + tn", "tn", "rates")),
    *defects(
        "metrics._counts",
        ("precision and recall swapped", "fp = jnp.sum(confusion, 0)", "fp = jnp.sum(confusion, 1)", "rates"),
        ("macro and micro swapped", 'average == "micro"', 'average == "macro"', "rates"),
        ("true negatives with the positives", "jnp.sum(confusion) - tp - fp", "jnp.sum(confusion) - fp", "rates"),
    ),
    *defects(
        "metrics._rate",
        ("0/0 is 1", "1.0), 0.0)", "1.0), 1.0)", "rates"),
        ("0/0 is NaN", "jnp.maximum(denominator, 1.0), 0.0)", "denominator, jnp.nan)", "rates"),
        ("macro sum", "jnp.mean(rate)", "jnp.sum(rate)", "rates"),
    ),
)
