"""Hostile arguments to the theory: derivatives, information, stability, generalization, distribution shift, descent."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxd2l import initializers, optim
from jaxd2l.book import (
    autodiff,
    backprop,
    convergence,
    convexity,
    descent,
    design_space,
    distribution_shift,
    generalization,
    information,
    stability,
)
from jaxd2l.fuzz_tests.arguments import (
    Case,
    array,
    classes,
    count,
    floats,
    hostile_arrays,
    hunt,
    ints,
    is_close,
    junk,
    keys,
    mixed,
    number,
    wide,
)
from jaxd2l.fuzz_tests.functions_test import confusions


def information_is_right(of):
    def right(result, base=math.e, **distributions) -> None:
        given = [np.asarray(value) for _, value in sorted(distributions.items())]
        assert all(value.dtype.kind in "fiub" for value in given)
        if np.asarray(result).dtype == np.float32:
            is_close(result, of(*map(wide, given)) / np.log(float(base)), 1e-3, 1e-3 / abs(np.log(float(base))))

    return right


def plogq(p, q):
    return np.where(p == 0, 0, p * np.log(q)).sum(-1)


def polynomial_is_right(result, x, degree, normalize=False) -> None:
    x = np.asarray(x)
    assert x.dtype.kind == "f"
    powers = wide(x)[:, None] ** np.arange(degree + 1)
    if normalize:
        powers = powers / np.array([math.factorial(i) for i in range(degree + 1)], float)
    if result.dtype != jnp.float16:
        is_close(result, powers, 1e-3)


def folds_are_right(result, key, n, k) -> None:
    assert len(result) == k
    rows = np.sort(np.concatenate([fold.validation for fold in result]))
    np.testing.assert_array_equal(rows, np.arange(n))
    assert all(set(fold.train) | set(fold.validation) == set(range(n)) for fold in result)


def penalty_is_right(result, params) -> None:
    if isinstance(params["kernel"], np.ndarray | jax.Array) and params["kernel"].dtype != jnp.float16:
        is_close(result, (wide(params["kernel"]) ** 2).sum() / 2)


def sample_size_is_right(result, half_width, num_deviations=1.0) -> None:
    assert isinstance(result, int)
    assert math.isclose(result, (num_deviations / 2 / half_width) ** 2, rel_tol=1e-8, abs_tol=1.0)


def hoeffding_is_right(result, half_width, confidence=0.95) -> None:
    assert math.isclose(result, -math.log1p(-confidence) / 2 / half_width**2, rel_tol=1e-6, abs_tol=1.0)


def stop_is_right(result, losses, patience, min_improvement=0.0) -> None:
    best, since = math.inf, 0
    for loss in np.asarray(losses, np.float64):
        if loss < best - min_improvement:
            best, since = loss, 0
        else:
            since += 1
    assert result is (since >= patience)


def risk_is_right(result, losses, weights) -> None:
    assert np.shape(losses) == np.shape(weights)
    if result.dtype != jnp.float16:
        is_close(result, np.mean(wide(losses) * wide(weights)))


def has_no_nan(result, **arguments) -> None:
    """The function refuses what is not finite, so its own results are numbers."""
    for leaf in jax.tree.leaves(result):
        assert not np.isnan(np.asarray(leaf)).any()


def lies_within(order):
    def right(result, x, radius=1.0) -> None:
        assert np.asarray(x).dtype.kind == "f"
        if result.dtype == jnp.float32 and np.abs(wide(x)).max() < 1e18:  # squares of what is larger overflow
            assert np.linalg.norm(wide(result).ravel(), order) <= float(radius) * (1 + 1e-4)

    return right


def path_is_right(result, f, start, steps, **options) -> None:
    assert result.shape == (steps + 1, *np.shape(start))
    np.testing.assert_array_equal(result[0], np.asarray(start, result.dtype))


def sums_to_1(result, **arguments) -> None:
    assert math.isclose(np.sum(result), 1.0)
    assert (np.asarray(arguments["target_predictions"]).dtype.kind) in "iu"


def gradients_are_right(
    result, weights, stored, y, activation=backprop.RELU, loss=backprop.CROSS_ENTROPY, weight_decay=0.0
) -> None:
    if activation is not backprop.RELU:  # the values were stored by a forward pass with it
        return

    def objective(weights):
        return backprop.forward(weights, stored.x, y, loss=loss, weight_decay=weight_decay)[0]

    expected = jax.grad(objective)(weights)
    is_close(result.W1, expected.W1, 1e-3, 1e-3)
    is_close(result.W2, expected.W2, 1e-3, 1e-3)


WEIGHTS = backprop.Weights(jnp.array([[1.0, -1.0], [0.5, 2.0]]), jnp.array([[1.0, 2.0], [-1.0, 0.25]]))
X = jnp.array([[1.0, 2.0], [3.0, -1.0]])
STORED = backprop.forward(WEIGHTS, X, jnp.array([0, 1]))[1]
FUNCTIONS = (jnp.sum, jnp.prod, lambda x: x, lambda x: jnp.sum(x * x), lambda x: 3, lambda x: "three", lambda x: None)

functions = mixed(st.sampled_from(FUNCTIONS[:4]), st.sampled_from(FUNCTIONS), junk)
points = mixed(floats((2,)), floats(()), st.floats(-3, 3, width=32), hostile_arrays)
fractions = st.sampled_from([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]).map(lambda p: np.array(p, np.float32))
distributions = mixed(fractions, fractions.map(jnp.asarray), fractions.map(np.float64), hostile_arrays)
bases = mixed(st.sampled_from([2, math.e, 10.0, 0.5]), st.sampled_from([0, 1, -1, math.nan, math.inf, "2", 1j, None]))
samples = array((4, 2), (6, 2), (6, 1))
weights = mixed(
    st.just(WEIGHTS),
    st.builds(backprop.Weights, hostile_arrays, floats((2, 2))),
    st.builds(backprop.Weights, floats((2, 2)), hostile_arrays),
    junk,
)
targets = mixed(classes(2, high=1), floats((2, 2)), floats((2,)), ints((2, 1), high=1), hostile_arrays)
pass_options = {
    "activation": st.sampled_from([backprop.RELU, backprop.TANH, backprop.SIGMOID]),
    "loss": st.sampled_from([backprop.SQUARED, backprop.CROSS_ENTROPY]),
    "weight_decay": number(0.0, 1.0),
}
layers = st.fixed_dictionaries(
    {"kernel": mixed(floats((2, 3)), hostile_arrays)}, optional={"bias": mixed(floats((3,)), hostile_arrays)}
)
inits = st.sampled_from([initializers.normal(1.0), initializers.kaiming_normal(), initializers.torch_linear()])
steps = count(0, 3)
rates = number(0.0, 1.0)
transformations = mixed(
    st.builds(optim.sgd, st.floats(0.0, 1.0)),
    st.builds(optim.adam, st.floats(0.0, 1.0)),
    st.sampled_from([optim.sgd, (1, 2)]),
    junk,
)
few_sizes = mixed(
    st.sampled_from([(2, 3), [2, 2, 2]]), st.sampled_from([(2,), (2, 0), (2, -1), (2.5, 2), ("2", 3), 3]), junk
)

CASES = {
    "book.design_space.size": Case(
        design_space.size,
        {"choices": mixed(st.sampled_from([[2, 3], (1,), []]), st.sampled_from([[2, 0], [1.5], 3, "23"]))},
        {},
        lambda result, choices: is_close(result, math.prod(choices)),
    ),
    "book.design_space.empirical_distribution": Case(
        design_space.empirical_distribution,
        {"errors": array((3,), (0,)), "at": array((), (2,))},
        {},
        lambda result, errors, at: is_close(result, np.mean(wide(errors) <= wide(at)[..., None], -1)),
    ),
    "book.information.surprisal": Case(
        information.surprisal,
        {"p": mixed(distributions, number(0.0, 1.0))},
        {"base": bases},
        information_is_right(lambda p: -np.log(p)),
    ),
    "book.information.entropy": Case(
        information.entropy, {"p": distributions}, {"base": bases}, information_is_right(lambda p: -plogq(p, p))
    ),
    "book.information.cross_entropy": Case(
        information.cross_entropy,
        {"p": distributions, "q": distributions},
        {"base": bases},
        information_is_right(lambda p, q: -plogq(p, q)),
    ),
    "book.information.kl_divergence": Case(
        information.kl_divergence,
        {"p": distributions, "q": distributions},
        {"base": bases},
        information_is_right(lambda p, q: plogq(p, p) - plogq(p, q)),
    ),
    "book.autodiff.difference_quotient": Case(
        autodiff.difference_quotient, {"f": functions, "x": number(-3.0, 3.0), "h": number(0.001, 1.0)}
    ),
    "book.autodiff.tangent_line": Case(autodiff.tangent_line, {"f": functions, "x": points}),
    "book.autodiff.numerical_gradient": Case(autodiff.numerical_gradient, {"f": functions, "x": points}),
    "book.autodiff.check_gradient": Case(
        autodiff.check_gradient,
        {"f": functions, "x": points},
        {"tolerance": number(1e-6, 1e-3)},
        also=(AssertionError,),
    ),
    "book.autodiff.hessian_vector_product": Case(
        autodiff.hessian_vector_product, {"f": functions, "x": points, "v": points}
    ),
    "book.autodiff.double_past_1000": Case(autodiff.double_past_1000, {"a": array((3,), ())}),
    "book.autodiff.double_past_1000_compiled": Case(autodiff.double_past_1000_compiled, {"a": array((3,), ())}),
    "book.backprop.forward": Case(
        backprop.forward, {"weights": weights, "x": array((2, 2)), "y": targets}, pass_options
    ),
    "book.backprop.backward": Case(
        backprop.backward,
        {"weights": weights, "stored": mixed(st.just(STORED), junk), "y": targets},
        pass_options,
        gradients_are_right,
    ),
    "book.backprop.stored_bytes": Case(
        backprop.stored_bytes,
        {
            "num_inputs": count(1, 5),
            "num_hiddens": mixed(st.just((2, 3)), st.sampled_from([(), (0,), (2.5,), 3, "12"]), junk),
            "num_outputs": count(1, 5),
            "batch_size": count(1, 5),
        },
        {},
        lambda result, num_inputs, num_hiddens, num_outputs, batch_size: is_close(
            float(result), 4.0 * batch_size * (num_inputs + 2 * sum(num_hiddens) + num_outputs)
        ),
    ),
    "book.convexity.chord_gap": Case(
        convexity.chord_gap, {"f": functions, "x": points, "y": points}, {"num_points": count(2, 5)}
    ),
    "book.convexity.jensen_gap": Case(
        convexity.jensen_gap, {"f": functions, "x": array((2,), (2, 3), (3, 2)), "p": distributions}
    ),
    "book.convexity.curvatures": Case(convexity.curvatures, {"f": functions, "x": points}),
    "book.convexity.project_l2": Case(
        convexity.project_l2, {"x": array((2,), (2, 3))}, {"radius": number(0.1, 9.0)}, lies_within(2)
    ),
    "book.convexity.project_l1": Case(
        convexity.project_l1, {"x": array((2,), (2, 3))}, {"radius": number(0.1, 9.0)}, lies_within(1)
    ),
    "book.descent.gradient_descent": Case(
        descent.gradient_descent,
        {"f": functions, "start": points, "learning_rate": rates, "steps": steps},
        {},
        path_is_right,
    ),
    "book.descent.newton": Case(
        descent.newton, {"f": functions, "start": points, "steps": steps}, {"learning_rate": rates}, path_is_right
    ),
    "book.descent.preconditioned_descent": Case(
        descent.preconditioned_descent,
        {"f": functions, "start": points, "learning_rate": rates, "steps": steps},
        {},
        path_is_right,
    ),
    "book.descent.stochastic_descent": Case(
        descent.stochastic_descent,
        {"key": keys, "f": functions, "start": points, "learning_rate": rates, "steps": steps},
        {"noise": number(0.0, 2.0)},
        path_is_right,
    ),
    "book.descent.trajectory": Case(
        descent.trajectory, {"f": functions, "start": points, "tx": transformations, "steps": steps}, {}, path_is_right
    ),
    "book.descent.bisection": Case(
        descent.bisection, {"f": functions, "low": number(-3.0, 0.0), "high": number(1.0, 3.0)}, {"steps": count(0, 9)}
    ),
    "book.convergence.noise_moments": Case(
        convergence.noise_moments,
        {"rates": array((3,), low=0.0), "start": number(-5.0, 5.0), "curvature": number(0.0, 4.0)},
        {"noise": number(0.0, 2.0)},
    ),
    "book.convergence.momentum_radius": Case(
        convergence.momentum_radius,
        {"learning_rate": number(0.0, 2.0), "momentum": number(0.0, 1.0)},
        {"curvature": number(0.0, 4.0)},
    ),
    "book.stability.random_product": Case(
        stability.random_product, {"key": keys}, {"num_matrices": count(1, 3), "size": count(1, 3)}, has_no_nan
    ),
    "book.stability.variances_through_depth": Case(
        stability.variances_through_depth,
        {"key": keys, "sizes": few_sizes, "init": inits},
        {"num_examples": count(1, 3)},
        has_no_nan,
    ),
    "book.stability.constant_init": Case(
        lambda value, key, num_inputs, num_outputs: stability.constant_init(value)(key, num_inputs, num_outputs),
        {"value": number(-1.0, 1.0), "key": keys, "num_inputs": count(1, 3), "num_outputs": count(1, 3)},
    ),
    "book.stability.distinct_units": Case(stability.distinct_units, {"layer": mixed(layers, junk)}),
    "book.generalization.k_fold": Case(
        generalization.k_fold, {"key": keys, "n": count(2, 9), "k": count(2, 4)}, {}, folds_are_right
    ),
    "book.generalization.polynomial_features": Case(
        generalization.polynomial_features,
        {"x": array((3,)), "degree": mixed(st.integers(0, 5), st.sampled_from([-1, 2.5, "2", None, math.nan]))},
        {"normalize": st.booleans()},
        polynomial_is_right,
    ),
    "book.generalization.weight_decay_data": Case(
        generalization.weight_decay_data,
        {"key": keys},
        {"num_inputs": count(1, 5), "n": count(1, 5), "num_test": count(1, 5)},
        has_no_nan,
    ),
    "book.generalization.l2_penalty": Case(
        generalization.l2_penalty, {"params": st.fixed_dictionaries({"kernel": array((2, 3))})}, {}, penalty_is_right
    ),
    "book.generalization.sample_size": Case(
        generalization.sample_size,
        {"half_width": mixed(number(0.001, 0.9), st.sampled_from([1e-200, 1e-320]))},
        {"num_deviations": number(0.1, 3.0)},
        sample_size_is_right,
    ),
    "book.generalization.hoeffding_sample_size": Case(
        generalization.hoeffding_sample_size,
        {"half_width": mixed(number(0.001, 0.9), st.sampled_from([1e-200, 1e-320]))},
        {"confidence": mixed(number(0.1, 0.99), st.sampled_from([1e-20, 1 - 1e-16]))},
        hoeffding_is_right,
    ),
    "book.generalization.should_stop": Case(
        generalization.should_stop,
        {"losses": array((0,), (3,)), "patience": count(1, 3)},
        {"min_improvement": number(0.0, 1.0)},
        stop_is_right,
    ),
    "book.distribution_shift.fit_domain_classifier": Case(
        distribution_shift.fit_domain_classifier,
        {"source": samples, "target": samples},
        {"l2": number(0.01, 1.0)},
        has_no_nan,
    ),
    "book.distribution_shift.covariate_shift_weights": Case(
        distribution_shift.covariate_shift_weights,
        {"source": samples, "target": samples},
        {"clip": mixed(st.none(), number(1.0, 9.0)), "l2": number(0.01, 1.0)},
        has_no_nan,
    ),
    "book.distribution_shift.weighted_risk": Case(
        distribution_shift.weighted_risk, {"losses": array((3,)), "weights": array((3,), low=0.0)}, {}, risk_is_right
    ),
    "book.distribution_shift.target_label_distribution": Case(
        distribution_shift.target_label_distribution,
        {"confusion": confusions, "target_predictions": classes(3)},
        {},
        sums_to_1,
    ),
    "book.distribution_shift.label_shift_weights": Case(
        distribution_shift.label_shift_weights,
        {"confusion": confusions, "target_predictions": classes(3), "source_labels": classes(3)},
        {},
        has_no_nan,
    ),
    "book.distribution_shift.shift_test": Case(
        distribution_shift.shift_test,
        {"key": keys, "source": samples, "target": samples},
        {"num_permutations": mixed(st.just(9), st.sampled_from([0, -1, 2.5, "9", math.nan])), "l2": number(0.01, 1.0)},
        has_no_nan,
    ),
}


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name) -> None:
    hunt(CASES[name])
