"""No public function is left out of the fuzz tests without a reason."""

import importlib
import inspect

import jaxd2l
from jaxd2l import (
    fuzz_functions_test,
    fuzz_runs_test,
    fuzz_tables_test,
    fuzz_theory_test,
    fuzz_training_test,
)

LEFT_OUT = {
    "graphs": "draws pictures of functions",
    "parity": "compares with torch; it is a test itself",
    "plots": "draws pictures",
    "types": "has no functions",
    "backprop.graph": "draws pictures of functions",
    "backprop.png": "draws pictures",
    "backprop.svg": "draws pictures",
    "checkpoint.describe": "writes down what it is given",
    "checkpoint.locked": "files: sealed_test.py",
    "checkpoint.write_file": "files: params_test.py",
    "data.digits": "has no arguments",
    "data.fashion_mnist": "damaged files: fashion_mnist_test.py",
    "processes.any_process": "train.fit asks it: processes_test.py",
    "processes.from_main": "train.fit asks it: processes_test.py",
    "processes.is_main": "has no arguments",
    "processes.loss_is_an_error": "has no arguments",
    "processes.require_agreement": "train.fit asks it: processes_test.py",
    "processes.stop": "has no arguments",
    "sharding.everywhere": "within a program of train.fit: sharding_on_8_devices_test.py",
    "sharding.first_rows": "within a program of train.fit: sharding_on_8_devices_test.py",
    "sharding.place": "lays out what train.fit has looked at: sharding_on_8_devices_test.py",
    "sharding.replicate": "lays out what train.fit has looked at: sharding_on_8_devices_test.py",
    "train.make_train_step": "returns a function, which train.fit runs",
    "train.require_trainable": "train.fit and train.evaluate run it",
    "train.score": "train.evaluate runs it",
    "train.train_epoch": "train.fit runs it",
    "train.train_epoch_on_mesh": "train.fit runs it: sharding_test.py",
}
"""Modules and functions without a case, and why."""

# Two functions in one case: what the first returns is the second's argument.
WITHIN = {
    "checkpoint.restore": "checkpoint.save",
    "checkpoint.save_params": "checkpoint.load_params",
    "preprocessing.features": "preprocessing.apply",
    "preprocessing.fit": "preprocessing.apply",
    "preprocessing.fit_encoding": "preprocessing.encode",
    "preprocessing.fit_imputation": "preprocessing.impute",
    "preprocessing.fit_standardization": "preprocessing.standardize",
    "sharding.require_usable": "train.fit",
}


def public_functions() -> set[str]:
    """Those that a module names in `__all__`, or else defines itself without an underscore."""
    found = set()
    for room in set(jaxd2l.__all__) - set(LEFT_OUT):
        module = importlib.import_module(f"jaxd2l.{room}")
        own = [name for name, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__]
        for name in getattr(module, "__all__", own):
            value = getattr(module, name)
            if not name.startswith("_") and callable(value) and not inspect.isclass(value):
                found.add(f"{room}.{name}")
    return found


def test_every_public_function_is_fuzzed_or_left_out_for_a_reason() -> None:
    files = (fuzz_functions_test, fuzz_runs_test, fuzz_tables_test, fuzz_theory_test, fuzz_training_test)
    cases = {name for file in files for name in file.CASES}
    assert public_functions() - cases - set(LEFT_OUT) - set(WITHIN) == set()
    assert set(WITHIN.values()) <= cases
    assert not set(LEFT_OUT) & cases
