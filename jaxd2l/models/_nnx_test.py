"""The adapter for Flax modules, and the same models from scratch and as modules."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxd2l import data, initializers, losses, models, train
from jaxd2l.models import from_flax, from_flax_stateful

X = jax.random.normal(jax.random.key(1), (6, 4))
TORCH = initializers.torch_linear()
PAIRS = {
    "linear": (models.linear_regression(4, init=TORCH), models.flax_linear_regression(4, init=TORCH)),
    "softmax": (models.softmax_regression(4, 3, init=TORCH), models.flax_softmax_regression(4, 3, init=TORCH)),
    "mlp": (models.mlp(4, (5, 3), 2, init=TORCH), models.flax_mlp(4, (5, 3), 2, init=TORCH)),
    "tanh": (models.mlp(4, 5, 2, activation=jnp.tanh), models.flax_mlp(4, 5, 2, activation=jnp.tanh)),
}


class Deterministic(nn.Module):
    @nn.compact
    def __call__(self, x, *, deterministic):
        return nn.Dropout(0.5, deterministic=deterministic)(nn.Dense(50)(x))


class Train(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dropout(0.5, deterministic=not train)(nn.Dense(50)(x))


class Stateful(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.BatchNorm(use_running_average=not train)(x)


@pytest.mark.parametrize(("scratch", "module"), PAIRS.values(), ids=PAIRS)
def test_same_key_gives_the_same_parameters_and_outputs(scratch, module) -> None:
    ours, theirs = scratch.init(jax.random.key(0)), module.init(jax.random.key(0))
    layers = [ours] if isinstance(ours, dict) else ours
    jax.tree.map(np.testing.assert_array_equal, theirs, {"layers": dict(enumerate(layers))})
    np.testing.assert_allclose(module.apply(theirs, X), scratch.apply(ours, X), rtol=1e-6, atol=1e-7)


def test_own_parameters_have_the_shapes_that_flax_itself_would_give() -> None:
    sizes = ((4, 5), (5, 3), (3, 2))
    theirs = from_flax(lambda rngs: nnx.Sequential(*(nnx.Linear(*size, rngs=rngs) for size in sizes)))
    ours = models.flax_mlp(4, (5, 3), 2)
    shapes = [jax.tree.map(jnp.shape, model.init(jax.random.key(0))) for model in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_training_from_the_same_key_gives_the_same_losses() -> None:
    digits = data.digits()
    small = digits._replace(train=type(digits.train)(*(x[:100] for x in digits.train)))
    runs = []
    for make in (models.mlp, models.flax_mlp):
        model = make(64, 16, 10, init=TORCH)
        _, history = train.fit(
            model, losses.cross_entropy, optax.sgd(0.5), small, key=jax.random.key(0), epochs=2, batch_size=32
        )
        runs.append(history)
    for ours, theirs in zip(*runs, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert runs[0].step_loss[-1, -1] < runs[0].step_loss[0, 0]


@pytest.mark.parametrize("module", [Deterministic(), Train()], ids=["deterministic", "train"])
def test_a_linen_module_learns_whether_it_trains_and_gets_its_key(module) -> None:
    model = from_flax(module, example_input=X)
    params = model.init(jax.random.key(0))
    plain = model.apply(params, X)
    assert (plain != 0).all()
    dropped = model.apply(params, X, key=jax.random.key(2))
    assert 0.3 < (dropped == 0).mean() < 0.7
    np.testing.assert_allclose(dropped[dropped != 0], 2 * plain[dropped != 0], rtol=1e-6)
    np.testing.assert_array_equal(dropped, model.apply(params, X, key=jax.random.key(2)))
    assert (dropped != model.apply(params, X, key=jax.random.key(3))).any()


def test_dropout_of_flax_mlp_happens_if_and_only_if_a_key_is_given() -> None:
    model = models.flax_mlp(4, 50, 3, dropout_rate=0.5, init=TORCH)
    params = model.init(jax.random.key(0))
    np.testing.assert_array_equal(model.apply(params, X), models.flax_mlp(4, 50, 3).apply(params, X))
    assert (model.apply(params, X, key=jax.random.key(2)) != model.apply(params, X)).all()


def test_a_module_that_knows_neither_flag_is_just_applied() -> None:
    model = from_flax(nn.Dense(3), example_input=np.zeros((1, 4), np.float32))
    params = model.init(jax.random.key(0))
    expected = X @ params["params"]["kernel"] + params["params"]["bias"]
    np.testing.assert_allclose(model.apply(params, X), expected, rtol=1e-6)
    np.testing.assert_array_equal(model.apply(params, X, key=jax.random.key(2)), model.apply(params, X))


def test_jit_and_vmap_work_and_compile_once() -> None:
    model, traces = models.flax_mlp(4, 5, 3), []

    @jax.jit
    def apply(params, x):
        traces.append(x.shape)
        return model.apply(params, x)

    with jax.checking_leaks():
        ensemble = jax.vmap(model.init)(jax.random.split(jax.random.key(5), 2))
        together = jax.vmap(model.apply, (0, None))(ensemble, X)
    for i in range(2):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], ensemble)
        np.testing.assert_allclose(apply(one, X), together[i], rtol=1e-5, atol=1e-8)
    assert traces == [X.shape]


def test_a_module_with_state_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"Stateful keeps state in \['batch_stats'\]; a Model has parameters only"):
        from_flax(Stateful(), example_input=X).init(jax.random.key(0))


@pytest.mark.bad_input
def test_wrong_inputs_and_sizes_are_refused() -> None:
    model = models.flax_mlp(4, 5, 3)
    params = model.init(jax.random.key(0))
    with pytest.raises(ValueError, match="the model takes 4 features per example"):
        model.apply(params, X[:, :3])
    with pytest.raises(TypeError, match="got uint8"):
        model.apply(params, jnp.zeros((6, 4), jnp.uint8))
    with pytest.raises(ValueError, match="num_hiddens must be at least 1, got 0"):
        models.flax_mlp(4, 0, 3)
    with pytest.raises(ValueError, match=r"dropout_rate must lie in \[0, 1\]"):
        models.flax_mlp(4, 5, 3, dropout_rate=2.0)


class NNXLayer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(4, 50, rngs=rngs)
        self.first, self.second = nnx.Dropout(0.5, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        ones = jnp.ones((len(x), 50))
        return jnp.stack([self.linear(x), self.first(ones), self.second(ones)])


class NNXStateful(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm = nnx.BatchNorm(4, rngs=rngs)

    def __call__(self, x):
        return self.norm(x)


class NNXNormed(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm, self.dropout = nnx.BatchNorm(4, momentum=0.9, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)
        self.last = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(self.norm(x)))


class LinenNormed(nn.Module):
    @nn.compact
    def __call__(self, x, train, deterministic):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        return nn.Dense(3)(nn.Dropout(0.5, deterministic=deterministic)(x))


@pytest.mark.parametrize(("module", "example"), [(NNXNormed, None), (LinenNormed(), X)], ids=["NNX", "Linen"])
def test_running_averages_of_flax_are_a_state_that_training_moves(module, example) -> None:
    model = from_flax_stateful(module, example_input=example)
    params, state = model.init(jax.random.key(0))
    outputs, same = model.apply(params, state, X)
    jax.tree.map(np.testing.assert_array_equal, same, state)
    trained, after = model.apply(params, state, X, train=True)
    moved = {name.split(".")[-1]: leaf for name, leaf in models.layers.named(after).items()}
    np.testing.assert_allclose(moved["mean"], 0.1 * X.mean(0), rtol=1e-5)
    np.testing.assert_allclose(moved["var"], 0.9 + 0.1 * X.var(0), rtol=1e-5)  # biased, as Flax has it
    assert not np.allclose(trained, outputs)
    np.testing.assert_array_equal(trained, model.apply(params, state, X, train=True)[0])  # no dropout without a key
    dropped, _ = model.apply(params, state, X, train=True, key=jax.random.key(1))
    assert not np.allclose(dropped, trained)
    dataset = data.from_arrays(np.asarray(X), np.arange(6) % 3, key=jax.random.key(0))
    run = (model, losses.cross_entropy, optax.sgd(0.1), dataset)
    fitted, _ = train.fit(*run, key=jax.random.key(0), epochs=1, batch_size=2)
    assert jax.tree.structure(fitted.model_state) == jax.tree.structure(state)


@pytest.mark.bad_input
def test_other_state_than_running_averages_is_refused() -> None:
    class Counter(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.count = nnx.Variable(jnp.zeros(()))

    with pytest.raises(ValueError, match=r"Counter keeps state in \['Variable'\]; only running averages"):
        from_flax_stateful(Counter).init(jax.random.key(0))
    with pytest.raises(TypeError, match="its shapes need an example_input"):
        from_flax_stateful(LinenNormed())


def test_an_nnx_instance_keeps_its_parameters_and_a_function_draws_new_ones() -> None:
    instance = NNXLayer(nnx.Rngs(7))
    held, drawn = from_flax(instance), from_flax(NNXLayer)
    keys = jax.random.split(jax.random.key(0))
    assert jax.tree.map(jnp.shape, drawn.init(keys[0])) == {"linear": {"bias": (50,), "kernel": (4, 50)}}
    for key in keys:
        np.testing.assert_array_equal(held.init(key)["linear"]["kernel"], instance.linear.kernel[...])
    first, second = (drawn.init(key)["linear"]["kernel"] for key in jax.random.split(keys[1]))
    assert not np.array_equal(first, second)


def test_an_nnx_module_computes_with_the_parameters_it_is_given() -> None:
    model = from_flax(lambda rngs: NNXLayer(rngs))
    params = {"linear": {"kernel": jnp.full((4, 50), 2.0), "bias": jnp.arange(50.0)}}
    np.testing.assert_allclose(model.apply(params, X)[0], X @ params["linear"]["kernel"] + jnp.arange(50.0), rtol=1e-6)
    grads = jax.grad(lambda p: model.apply(p, X)[0].sum())(params)
    np.testing.assert_allclose(grads["linear"]["bias"], 6.0)


def test_an_nnx_module_drops_if_and_only_if_a_key_is_given() -> None:
    model = from_flax(NNXLayer)
    params = model.init(jax.random.key(0))
    assert (model.apply(params, X)[1:] == 1).all()
    apply = jax.jit(model.apply)
    masks = [apply(params, X, key=jax.random.key(i))[1:] for i in (1, 1, 2)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert set(np.unique(masks[0][0])) == {0.0, 2.0}
    assert not np.array_equal(masks[0][0], masks[2][0])
    assert not np.array_equal(masks[0][0], masks[0][1])  # two layers, two masks


def test_anything_but_a_stateless_module_is_refused() -> None:
    with pytest.raises(ValueError, match=r"NNXStateful keeps state in .*BatchStat"):
        from_flax(NNXStateful).init(jax.random.key(0))
    for wrong in (nn.Dense, "mlp", None):
        with pytest.raises(TypeError, match="expected a Flax module"):
            from_flax(wrong, example_input=X)
    with pytest.raises(TypeError, match="Dense is a Linen module: its shapes need an example_input"):
        from_flax(nn.Dense(3))
    with pytest.raises(TypeError, match="it returned int"):
        from_flax(lambda rngs: 3).init(jax.random.key(0))
