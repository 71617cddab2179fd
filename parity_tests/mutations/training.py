"""Defects in SGD, the training loop and the data (D2L 3.3, 3.4, 3.7, 4.2)."""

from parity_tests.mutations.planting import defects

_DECAYED = """\
    if not is_zero(weight_decay):
        parts.append(optax.add_decayed_weights(weight_decay, weight_decay_mask))
"""
_MOMENTUM = """\
    if not is_zero(momentum):
        parts.append(optax.trace(momentum, nesterov) if is_zero(dampening) else _dampened_trace(momentum, dampening))
"""
_MAXIMISE = """\
    if maximize:
        parts.append(optax.scale(-1.0))
"""
_DECAY = "sgd momentum=0.9 weight_decay=0.1"
_FIT = "training by hand|training softmax regression"

SGD = (
    *defects(
        "optim.sgd",
        ("decay missing", _DECAYED, "", "sgd weight_decay=0.1"),
        ("decay after momentum", _DECAYED + _MOMENTUM, _MOMENTUM + _DECAYED, _DECAY),
        (
            "decay after the learning rate",
            _DECAYED + _MOMENTUM + "    return optax.chain(*parts, optax.scale_by_learning_rate(learning_rate))",
            _MOMENTUM
            + "    return optax.chain(*parts, optax.scale_by_learning_rate(learning_rate), "
            + "optax.add_decayed_weights(weight_decay))",
            "sgd weight_decay=0.1",
        ),
        ("decay of the wrong sign", "_weights(weight_decay,", "_weights(-weight_decay,", "sgd weight_decay=0.1"),
        ("decay halved", "_weights(weight_decay,", "_weights(weight_decay / 2,", "sgd weight_decay=0.1"),
        (
            "decay spares biases",
            "weight_decay_mask))",
            "lambda params: jax.tree.map(lambda p: p.ndim > 1, params)))",
            "sgd weight_decay=0.1",
        ),
        ("decay maximised too", _MAXIMISE + _DECAYED, _DECAYED + _MAXIMISE, "sgd weight_decay=0.1 maximize"),
        ("maximize not done", "if maximize:", "if False:", "sgd maximize"),
        ("Nesterov not done", "optax.trace(momentum, nesterov)", "optax.trace(momentum)", "sgd momentum=0.9 nesterov"),
        (
            "Nesterov looks ahead twice",
            "optax.trace(momentum, nesterov)",
            "optax.trace(momentum, True)",
            "sgd momentum=0.9",
        ),
        ("momentum missing", _MOMENTUM, "", "sgd momentum=0.9"),
        (
            "momentum as an average",
            "optax.trace(momentum, nesterov)",
            "optax.ema(momentum, debias=False)",
            "sgd momentum=0.9",
        ),
        (
            "momentum kept in bfloat16",
            "optax.trace(momentum, nesterov)",
            "optax.trace(momentum, nesterov, 'bfloat16')",
            "sgd momentum=0.9",
        ),
        (
            "momentum 1e-6 off",
            "optax.trace(momentum, nesterov)",
            "optax.trace(momentum + 1e-6, nesterov)",
            "sgd momentum=0.9",
        ),
        ("uphill", "_rate(learning_rate)", "_rate(learning_rate, flip_sign=False)", "sgd"),
        ("gradients clipped", "parts = []", "parts = [optax.clip(1.0)]", "sgd"),
        ("gradients normalised", "parts = []", "parts = [optax.normalize_by_update_norm()]", "sgd"),
        (
            "dampening not done",
            " if is_zero(dampening) else _dampened_trace(momentum, dampening)",
            "",
            "sgd momentum=0.9 dampening",
        ),
    ),
    *defects(
        "optim._sgd._dampened_trace",
        ("dampening on the first step", "state.is_first | (", "(", "sgd momentum=0.9 dampening"),
        (
            "dampening never begins",
            "jnp.array(False)",
            "state.is_first",
            "sgd momentum=0.9 dampening",
        ),
        ("dampening for its complement", "1.0 - dampening", "dampening", "sgd momentum=0.9 dampening"),
        (
            "buffer never kept",
            "_DampenedTraceState(trace, ",
            "_DampenedTraceState(state.trace, ",
            "sgd momentum=0.9 dampening",
        ),
        ("buffer not decayed", "momentum * b", "b", "sgd momentum=0.9 dampening"),
    ),
)

TRAINING_LOOP = (
    *defects(
        "train._epoch.make_train_step",
        (
            "optimiser's state not carried",
            ", opt_state, state.step",
            ", state.opt_state, state.step",
            "training by hand",
        ),
        ("step not counted", "state.step + 1", "state.step", _FIT),
        (
            "gradient of the sum",
            "update(grads, ",
            "update(jax.tree.map(lambda g: g * len(batch.labels), grads), ",
            _FIT,
        ),
        (
            "update applied twice",
            "optax.apply_updates(state.params, updates)",
            "optax.apply_updates(optax.apply_updates(state.params, updates), updates)",
            _FIT,
        ),
        ("loss after the update", "), value\n", "), batch_loss(optax.apply_updates(state.params, updates))[0]\n", _FIT),
        ("dropout's key not passed", "key=key", "key=None", "dropout in training"),
        (
            "biases not updated",
            "jax.value_and_grad(batch_loss, has_aux=True)(state.params)",
            "jax.value_and_grad(lambda p: batch_loss(jax.tree.map("
            "lambda x: x if x.ndim > 1 else lax.stop_gradient(x), p)), has_aux=True)(state.params)",
            _FIT,
        ),
    ),
    *defects(
        "train._epoch.train_epoch",
        ("last short batch dropped", "if rest:", "if False:", _FIT),
        ("last short batch filled up", "order[n - rest :]", "order[n - batch_size :]", _FIT),
        ("last short batch first", "order[: n - rest].reshape", "order[rest:].reshape", _FIT),
        ("examples not shuffled", "shuffle(order_key(key, epoch), n)", "jnp.arange(n)", _FIT),
        ("shuffled only once", "order_key(key, epoch)", "order_key(key, 0)", _FIT),
        (
            "batches shuffled, not examples",
            "shuffle(order_key(key, epoch), n)",
            "(shuffle(order_key(key, epoch), n // 4)[:, None] * 4 + jnp.arange(4)).ravel()",
            "training by hand",
        ),
        (
            "labels left behind",
            "Batch(examples, labels)",
            "Batch(examples, train.labels[: len(indices)])",
            _FIT,
        ),
        ("same dropout in each step", "noise_key(key, state.step)", "noise_key(key, 0)", "dropout in training"),
        ("pixels not divided", "to_float(inputs)", "inputs.astype(jnp.float32)", "training by hand"),
    ),
    *defects(
        "train._history.one_epoch",
        (
            "training loss not weighted by batch size",
            "np.average(losses, axis=-1, weights=sizes)",
            "np.mean(losses, axis=-1)",
            _FIT,
        ),
    ),
    *defects(
        "train._prepared.on_one_device",
        ("training set as the test set", "state.model_state, test, truth)", "state.model_state, train, None)", _FIT),
    ),
    *defects(
        "train._fit.fit",
        ("epochs run again when resumed", "range(_epochs_done(state, task.steps), epochs)", "range(epochs)", "resumed"),
        ("caller's state taken", "jax.tree.map(jnp.copy, ", "jax.tree.map(lambda x: x, ", "resumed"),
        ("one epoch too many", ", epochs):", ", epochs + 1):", "training by hand"),
    ),
    *defects(
        "train._evaluation.compiled_outputs",
        ("evaluation with dropout on", "to_float(chunk))", "to_float(chunk), key=jax.random.key(0))", "evaluated"),
        ("last chunk forgotten", "if rest else []", "if False else []", "evaluated"),
        ("last chunk first", "jnp.concatenate(parts)", "jnp.concatenate(parts[::-1])", "evaluated"),
        ("normalised twice", "to_float(chunk)", "to_float(chunk) / 255", "evaluated"),
    ),
    *defects(
        "train._evaluation.compiled_score",
        (
            "error rate as accuracy",
            "fraction_right(outputs, truth)",
            "1 - fraction_right(outputs, truth)",
            "evaluated",
        ),
    ),
    *defects(
        "keys.order_key",
        ("epoch not used", "fold_in(key, _ORDER), epoch)", "fold_in(key, _ORDER), 0)", "order of the examples"),
    ),
    *defects(
        "keys.noise_key",
        ("step not used", "fold_in(key, _NOISE), step)", "fold_in(key, _NOISE), 0)", "dropout in training"),
    ),
)

DATA = (
    *defects(
        "data.epoch_indices",
        (
            "last short batch dropped",
            "np.split(order, range(batch_size, n, batch_size))",
            "np.split(order, range(batch_size, n, batch_size))[: n // batch_size]",
            "order of the examples",
        ),
        ("epoch not used", "order_key(key, epoch)", "order_key(key, 0)", "order of the examples"),
    ),
    *defects(
        "data.shuffle",
        ("drawn with replacement", "first[second]", "jax.random.randint(key, (n,), 0, n)", "order of the examples"),
        ("not shuffled", "first[second]", "low", "order of the examples"),
        ("reversed only", "first[second]", "low[::-1]", "order of the examples"),
    ),
    *defects(
        "data.to_float",
        ("divided by 256", "x * _HIGH + x * _LOW", "x / 256", "pixels"),
        ("divided, which XLA rounds", "x * _HIGH + x * _LOW", "x / 255", "pixels"),
        ("divided twice", "x * _HIGH + x * _LOW", "x / 255 / 255", "pixels"),
        ("centred", "x * _HIGH + x * _LOW", "x * _HIGH + x * _LOW - 0.5", "pixels"),
        ("in float16", "x * _HIGH + x * _LOW", "(x.astype('float16') / 255).astype('float32')", "pixels"),
        ("not divided", "x * _HIGH + x * _LOW", "x", "pixels"),
    ),
    *defects(
        "data.synthetic_regression",
        ("variance for deviation", "np.float32(noise) *", "np.float32(noise) ** 2 *", "synthetic"),
        ("bias missing", " + np.float32(b)", "", "synthetic"),
        (
            "training set as the test set",
            "Batch(inputs[n:], targets[n:])",
            "Batch(inputs[:n], targets[:n])",
            "synthetic",
        ),
        ("targets shuffled", "Batch(inputs[:n], targets[:n])", "Batch(inputs[:n], targets[:n][::-1])", "synthetic"),
        ("one stream for features and noise", "normal(noise_key, ", "normal(inputs_key, ", "synthetic"),
    ),
    *defects(
        "data.digits",
        ("labels one row off", "bunch.target.astype(np.int32)", "np.roll(bunch.target, 1).astype(np.int32)", "digits"),
        ("scaled by 15", "255 / 16", "255 / 15", "digits"),
        ("sets overlap", "Batch(images[_NUM_TRAIN:]", "Batch(images[-_NUM_TRAIN:]", "digits"),
    ),
)
