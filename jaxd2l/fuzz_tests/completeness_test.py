"""No public function is left out of the fuzz tests without a reason."""

import importlib
import inspect

import jaxd2l
from jaxd2l.fuzz_tests import (
    functions_test as functions_test,
)
from jaxd2l.fuzz_tests import (
    images_test as images_test,
)
from jaxd2l.fuzz_tests import (
    networks_test as networks_test,
)
from jaxd2l.fuzz_tests import (
    optimizers_test as optimizers_test,
)
from jaxd2l.fuzz_tests import (
    runs_test as runs_test,
)
from jaxd2l.fuzz_tests import (
    tables_test as tables_test,
)
from jaxd2l.fuzz_tests import (
    theory_test as theory_test,
)
from jaxd2l.fuzz_tests import (
    training_test as training_test,
)

LEFT_OUT = {
    "book.graphs": "draws pictures of functions",
    "book.landscapes": "draws pictures of paths",
    "parity": "compares with torch; it is a test itself",
    "plots": "draws pictures",
    "types": "has no functions",
    "models.layers.add": "what is no layer, as models.layers.parallel: layers_test.py",
    "models.layers.flatten": "has no arguments",
    "models.layers.function": "hostile functions: layers_test.py",
    "models.layers.global_mean_pool": "has no arguments",
    "models.layers.named": "models.layers.replaced names what it gets",
    "models.layers.parallel": "what is no layer: layers_test.py",
    "models.layers.sequential": "what is no layer: layers_test.py",
    "train.checkpoint.describe": "writes down what it is given",
    "train.checkpoint.locked": "files: _sealed_test.py",
    "data.airfoil": "damaged files: _airfoil_test.py",
    "data.digits": "has no arguments",
    "data.from_arrays": "hostile arrays and labels: _own_test.py",
    "data.from_csv": "damaged tables: _own_test.py",
    "data.fashion_mnist": "damaged files: _fashion_mnist_test.py",
    "data.kaggle_house_prices": "damaged files: _kaggle_test.py",
    "data.shuffled": "damaged batches: train/stream_test.py",
    "data.stream": "damaged batches: train/stream_test.py",
    "data.prepare_fashion_mnist": "damaged files: _fashion_mnist_test.py",
    "train.processes.is_main": "has no arguments",
    "train.processes.stop": "has no arguments",
    "train.make_train_step": "returns a function, which train.fit runs",
    "train.train_epoch": "train.fit runs it",
}
"""Modules and functions without a case, and why."""

# Two functions in one case: what the first returns is the second's argument.
WITHIN = {
    "models.layers.model": "models.layers.conv",
    "models.layers.output_shape": "models.residual",
    "models.layers.stateful_model": "models.layers.conv",
    "runs.load": "runs.save",
    "train.checkpoint.restore": "train.checkpoint.save",
    "train.checkpoint.save_params": "train.checkpoint.load_params",
    "book.preprocessing.features": "book.preprocessing.apply",
    "book.preprocessing.fit": "book.preprocessing.apply",
    "book.preprocessing.fit_encoding": "book.preprocessing.encode",
    "book.preprocessing.fit_imputation": "book.preprocessing.impute",
    "book.preprocessing.fit_standardization": "book.preprocessing.standardize",
}


def public_modules() -> set[str]:
    """Every module that can be reached from the package by public names, `train` and `train.sharding` alike."""
    found, waiting = set(), [("", jaxd2l)]
    while waiting:
        path, module = waiting.pop()
        for name in getattr(module, "__all__", ()):
            member = f"{path}.{name}".lstrip(".")
            if inspect.ismodule(value := getattr(module, name)) and member not in LEFT_OUT:
                found.add(member)
                waiting.append((member, value))
    return found


def public_functions() -> set[str]:
    """Those that a module names in `__all__`, or else defines itself without an underscore."""
    found = set()
    for path in public_modules():
        module = importlib.import_module(f"jaxd2l.{path}")
        own = [name for name, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__]
        for name in getattr(module, "__all__", own):
            value = getattr(module, name)
            if not name.startswith("_") and inspect.isfunction(inspect.unwrap(value)):
                found.add(f"{path}.{name}")
    return found


def test_every_public_function_is_fuzzed_or_left_out_for_a_reason() -> None:
    files = (
        functions_test,
        images_test,
        networks_test,
        optimizers_test,
        runs_test,
        tables_test,
        theory_test,
        training_test,
    )
    cases = {name for file in files for name in file.CASES}
    assert public_functions() - cases - set(LEFT_OUT) - set(WITHIN) == set()
    assert set(WITHIN.values()) <= cases
    assert not set(LEFT_OUT) & cases
