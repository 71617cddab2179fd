"""What people give `train.fit` and its neighbours: it works where it can, and else a sentence names the argument."""

import functools

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxd2l import data, initializers, losses, models, optim, train
from jaxd2l.train import sweep
from jaxd2l.types import Batch, Dataset, Model

pytestmark = pytest.mark.bad_input

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 6)).astype(np.float32), RNG.integers(0, 3, 8).astype(np.int32)
MODEL, LOSS, TX = models.softmax_regression(6, 3), losses.cross_entropy, optax.sgd(0.1)


def fit(model=MODEL, loss=LOSS, tx=TX, inputs=X, labels=Y, *, dataset=None, seed=0, **options):
    dataset = dataset if dataset is not None else Dataset(Batch(inputs, labels), Batch(inputs, labels))
    options = {"key": jax.random.key(seed), "epochs": 2, "batch_size": 3, **options}
    return train.fit(model, loss, tx, dataset, **options)


def losses_of(*args, **options) -> np.ndarray:
    return fit(*args, **options)[1].step_loss


def frame(values):
    return pytest.importorskip("pandas").DataFrame(values)


def tensor(values):
    torch = pytest.importorskip("torch")
    return torch.tensor(values, requires_grad=values.dtype.kind == "f")


@pytest.mark.parametrize(
    "options",
    [
        {"inputs": X.tolist(), "labels": Y.tolist()},
        {"inputs": jnp.asarray(X), "labels": jnp.asarray(Y)},
        {"dataset": ((X, Y), (X, Y))},
        {"model": tuple(MODEL)},
        {"tx": (TX.init, lambda grads, state, params=None: TX.update(grads, state, params))},
        {"key": jax.random.PRNGKey(0)},
    ],
    ids=["lists", "jax arrays", "pairs of pairs", "a pair of functions", "an optimiser as a pair", "an old key"],
)
def test_other_forms_of_the_same_train_alike(options) -> None:
    np.testing.assert_array_equal(losses_of(**options), losses_of())


@pytest.mark.parametrize("convert", [frame, tensor])
def test_tables_and_tensors_train_alike(convert) -> None:
    labels = convert(Y)[0] if convert is frame else convert(Y)
    np.testing.assert_array_equal(losses_of(inputs=convert(X), labels=labels), losses_of())
    params = MODEL.init(jax.random.key(0))
    np.testing.assert_array_equal(train.predict(MODEL, params, convert(X)), train.predict(MODEL, params, X))
    ours, theirs = (train.evaluate(MODEL, LOSS, params, Batch(x, y)) for x, y in ((X, Y), (convert(X), labels)))
    assert ours == theirs


def one_more(grads, state, params=None, *, curvature):
    return grads, state


ON = {
    "model": [
        ("mlp", TypeError, r"model must be a Model, a pair of functions .*; got 'mlp'"),
        (flax.linen.Dense(3), TypeError, r"from_flax\(module, example_input=inputs\[:1\]\)"),
        (nnx.Linear(6, 3, rngs=nnx.Rngs(0)), TypeError, r"from_flax\(module\) makes a Model of an NNX module"),
        (models.mlp, TypeError, "got the function mlp"),
        (
            Model(MODEL.init, lambda params, x: x),
            TypeError,
            r"apply\(params, inputs, \*, key\); got .*\(params, x\)",
        ),
    ],
    "loss": [
        ("cross_entropy", TypeError, r"loss must be a function loss\(outputs, labels\), such as losses.cross_entropy"),
        (
            optax.softmax_cross_entropy_with_integer_labels,
            ValueError,
            r"loss must give one number .*mean\(\)",
        ),
        (lambda outputs, labels: (LOSS(outputs, labels), 1), TypeError, "loss must give one floating-point number"),
        (lambda params, x, y: 0.0, TypeError, r"function loss\(outputs, labels\); got one .*\(params, x, y\)"),
        (TX, TypeError, "loss must be a function .* got a GradientTransformation"),
    ],
    "tx": [
        (optax.sgd, TypeError, r"such as optax.sgd\(0.1\); got the function sgd: call it"),
        (optim.sgd, TypeError, "got the function sgd: call it"),
        ("adam", TypeError, "tx must be an optax transformation, .*'adam'"),
        (
            optax.GradientTransformationExtraArgs(TX.init, one_more),
            TypeError,
            "tx.update cannot be called .*unexpected keyword argument 'value'",
        ),
    ],
    "key": [
        (0, TypeError, r"key must be a random key, such as jax.random.key\(0\); got 0"),
        (jax.random.split(jax.random.key(0)), ValueError, r"key must be one random key, such as key\[0\]"),
    ],
    "dataset": [
        (Batch(X, Y), TypeError, r"dataset must be a Dataset\(train, test\), got a Batch; data.from_arrays"),
        ((X, Y), TypeError, "the training set must be a Batch of inputs and labels, got ndarray"),
        ({"train": (X, Y)}, TypeError, "dataset must be a Dataset"),
    ],
    "inputs": [
        (
            [[1.0, 2.0], [3.0]],
            ValueError,
            "training inputs must be an array; got a list with rows",
        ),
        ((10 * X).astype(int), TypeError, r"training inputs .*got int32; use .astype\('float32'\)"),
        (np.full((8, 6), "a"), TypeError, "training inputs must be real numbers.*give text and missing values numbers"),
    ],
    "labels": [
        (Y.astype(float), ValueError, r"make them integers: labels.astype\('int32'\)"),
        (np.eye(3, dtype=int)[Y], ValueError, r"if these are one-hot, make them classes: labels.argmax\(-1\)"),
        (Y[:, None], ValueError, r"drop the axis: labels\[..., 0\]"),
    ],
    "state": [
        (MODEL.init(jax.random.key(0)), TypeError, "state must be a TrainState"),
        (train.create_state(jax.random.key(0), MODEL, optax.adam(0.1)), ValueError, r"another optimiser .*tx.init"),
        (
            train.create_state(jax.random.key(0), models.softmax_regression(7, 3), TX),
            ValueError,
            "inputs and the parameters given do not suit the model",
        ),
    ],
    "on_epoch": [(3, TypeError, "on_epoch must be a function, got 3")],
}


@pytest.mark.parametrize(("argument", "value", "error", "message"), [(a, *case) for a in ON for case in ON[a]])
def test_fit_names_the_argument_and_says_what_to_do(argument, value, error, message) -> None:
    with pytest.raises(error, match=message):
        fit(**{argument: value})


SHARED = [(a, *case) for a in ("model", "loss", "dataset", "inputs", "labels") for case in ON[a]]


@pytest.mark.parametrize(("argument", "value", "error", "message"), SHARED)
def test_a_sweep_refuses_the_same(argument, value, error, message) -> None:
    inputs, labels = (value if argument == name else usual for name, usual in (("inputs", X), ("labels", Y)))
    dataset = value if argument == "dataset" else Dataset(Batch(inputs, labels), Batch(inputs, labels))
    model, loss = (value if argument == name else usual for name, usual in (("model", MODEL), ("loss", LOSS)))
    with pytest.raises(error, match=message):
        sweep.sweep(model, loss, optax.sgd, dataset, seeds=[0], grid={"learning_rate": [0.1]}, epochs=1, batch_size=4)


@pytest.mark.parametrize(("argument", "value", "error", "message"), [c for c in SHARED if c[0] in ("model", "loss")])
def test_evaluation_refuses_the_same(argument, value, error, message) -> None:
    given = {"model": MODEL, "loss": LOSS, argument: value}
    with pytest.raises(error, match=message):
        train.evaluate(**given, params=MODEL.init(jax.random.key(0)), batch=Batch(X, Y))


@pytest.mark.parametrize(
    ("make_tx", "grid", "message"),
    [
        (TX, {"learning_rate": [0.1]}, "make_tx must be a function that makes an optimiser"),
        (optax.sgd, {"lr": [0.1]}, r"make_tx must be a function make_tx\(\*, lr\); got .*learning_rate, momentum"),
        (lambda learning_rate: None, {"learning_rate": [0.1]}, "tx must be an optax transformation"),
    ],
)
def test_a_sweep_names_a_wrong_maker_of_optimisers(make_tx, grid, message) -> None:
    dataset = Dataset(Batch(X, Y), Batch(X, Y))
    with pytest.raises(TypeError, match=message):
        sweep.sweep(MODEL, LOSS, make_tx, dataset, seeds=[0], grid=grid, epochs=1, batch_size=4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: MODEL.init(0),
        lambda: models.dropout(0, X, 0.5),
        lambda: train.create_state(0, MODEL, TX),
        lambda: data.shuffle(0, 5),
        lambda: data.epoch_indices(0, 0, 5, 2),
        lambda: data.synthetic_regression(0, np.ones(2), 1.0),
    ],
)
def test_whoever_draws_refuses_a_number_for_a_key(call) -> None:
    with pytest.raises(TypeError, match=r"key must be a random key, such as jax.random.key\(0\); got 0"):
        call()


@pytest.mark.parametrize("make", [models.mlp, models.flax_mlp])
def test_models_refuse_names_of_functions_at_once(make) -> None:
    with pytest.raises(TypeError, match="activation must be a function, got 'tanh'"):
        make(6, 4, 3, activation="tanh")
    with pytest.raises(TypeError, match="init must be a function, got 'kaiming'"):
        make(6, 4, 3, init="kaiming")
    with pytest.raises(TypeError, match=r"init\(key, num_inputs, num_outputs\); got .*\(gain, mode\)"):
        make(6, 4, 3, init=initializers.kaiming_normal)


def test_parameters_are_told_from_a_state_and_inputs_from_a_batch() -> None:
    state = train.create_state(jax.random.key(0), MODEL, TX)
    for call in (lambda: train.evaluate(MODEL, LOSS, state, Batch(X, Y)), lambda: train.predict(MODEL, state, X)):
        with pytest.raises(TypeError, match=r"got a TrainState; give state\.params"):
            call()
    with pytest.raises(TypeError, match=r"give its inputs alone: batch\.inputs"):
        train.predict(MODEL, state.params, Batch(X, Y))
    with pytest.raises(TypeError, match="parameters given do not suit the model"):
        train.evaluate(MODEL, LOSS, [1.0], Batch(X, Y))


@pytest.mark.parametrize(
    "tx",
    [optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau()), optax.polyak_sgd(), optax.lbfgs()],
    ids=["plateau", "polyak", "line search"],
)
def test_transformations_that_look_at_the_loss_get_it(tx) -> None:
    with jax.numpy_dtype_promotion("standard"):  # on which optax relies
        _, history = fit(tx=tx, epochs=4)
    assert history.train_loss[-1] < history.train_loss[0]


def test_a_plateau_lowers_the_rate_as_it_would_by_hand() -> None:
    tx = optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(factor=0.5, patience=0, rtol=0.9))
    params = MODEL.init(jax.random.key(1))
    state, expected = tx.init(params), params
    step, begun = train.make_train_step(MODEL, LOSS, tx), train.create_state(jax.random.key(0), MODEL, tx)
    begun = begun._replace(params=params)
    with jax.numpy_dtype_promotion("standard"):  # on which optax relies
        for _ in range(3):
            value, grads = jax.value_and_grad(lambda p: LOSS(MODEL.apply(p, X), Y))(expected)
            updates, state = tx.update(grads, state, expected, value=value)
            expected = optax.apply_updates(expected, updates)
            begun, _ = step(begun, Batch(X, Y))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), begun.params, expected)
    assert begun.opt_state[1].scale < 1


def test_states_that_on_epoch_kept_stay_usable() -> None:
    kept = []
    fit(epochs=3, on_epoch=lambda state, history: kept.append(state))
    alone = [fit(epochs=n)[0] for n in (1, 2, 3)]
    jax.tree.map(np.testing.assert_array_equal, kept, alone)


@pytest.mark.parametrize(
    "make", [models.linear_regression, models.flax_linear_regression, lambda n: models.mlp(n, 4, 1)]
)
def test_regression_trains_and_is_evaluated_with_debug_nans(make) -> None:
    targets, model = X[:, :1], make(6)
    expected = losses_of(model, losses.squared_loss, labels=targets)
    grid = {"learning_rate": [0.1, 0.2]}
    with jax.debug_nans(True):
        np.testing.assert_array_equal(losses_of(model, losses.squared_loss, labels=targets), expected)
        params, batch = model.init(jax.random.key(0)), Batch(X, targets)
        assert np.isnan(train.evaluate(model, losses.squared_loss, params, batch).accuracy)
        run = (model, losses.squared_loss, optax.sgd, Dataset(batch, batch))
        assert np.isnan(sweep.sweep(*run, seeds=[0], grid=grid, epochs=1, batch_size=4).history.test_accuracy).all()
