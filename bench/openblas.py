"""The epoch of `mlp.c`, compiled on the spot and linked to the OpenBLAS that SciPy brings."""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import optax
import scipy

from jaxd2l.bench.cases import ORDER_SEED, WEIGHTS_SEED, Case, Loop, model
from jaxd2l.data import epoch_indices
from jaxd2l.train import create_state

_SOURCE = Path(__file__).with_name("mlp.c")
_FAST = ("-fassociative-math", "-freciprocal-math", "-fno-signed-zeros", "-fno-trapping-math", "-fno-math-errno")
"""What may change the order of sums; -ffast-math would make numbers near 0 vanish in the whole process as well."""
_COMPILER = ("-O3", "-march=native", *_FAST, "-fopenmp", "-fPIC", "-shared")
_FLOATS, _INTS = (np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS") for dtype in (np.float32, np.int32))
_BYTES = np.ctypeslib.ndpointer(np.uint8, flags="C_CONTIGUOUS")


class _MLP(ctypes.Structure):
    """`mlp_t`."""

    _fields_ = [(name, ctypes.c_int) for name in ("inputs", "hidden", "classes")] + [
        (name, ctypes.c_void_p) for name in ("w1", "b1", "w2", "b2", "x", "h", "o", "dh")
    ]


def blas() -> Path | None:
    """The OpenBLAS beside SciPy; None where its wheel has none."""
    return next(iter(sorted((Path(scipy.__file__).parent.parent / "scipy.libs").glob("libscipy_openblas-*"))), None)


def can_run() -> bool:
    """Whether there is a C compiler, and an OpenBLAS to link to."""
    return shutil.which("cc") is not None and blas() is not None


def by_hand(case: Case) -> Loop:
    """The C program's loop. Only for an MLP with one hidden layer and images of uint8.

    Raises:
      ValueError: another model.
    """
    if len(case.sizes) != 3:
        raise ValueError(f"the C program is for one hidden layer; {case.name} has {len(case.sizes) - 2}")
    train = case.dataset.train
    images = np.ascontiguousarray(train.inputs).reshape(len(train.labels), -1)
    labels, n = np.ascontiguousarray(train.labels, np.int32), len(train.labels)
    generator = np.random.default_rng(0)

    def epoch_of(arrays: list[np.ndarray], order: np.ndarray) -> np.ndarray:
        losses = np.empty(-(-n // case.batch_size), np.float32)
        net = _MLP(*case.sizes, *(x.ctypes.data for x in arrays))
        order = np.ascontiguousarray(order, np.int32)
        with _one_thread():
            _epoch()(_sgemm(), ctypes.byref(net), images, labels, order, n, case.batch_size, case.lr, losses)
        return losses

    def first_losses() -> np.ndarray:
        order = np.concatenate(epoch_indices(jax.random.key(ORDER_SEED), 0, n, case.batch_size))
        return epoch_of(_arrays(case), order)

    state = _arrays(case)
    return Loop(first_losses, lambda: epoch_of(state, generator.permutation(n)))


def _arrays(case: Case) -> list[np.ndarray]:
    """Weights to begin with, and room for a batch."""
    params = create_state(jax.random.key(WEIGHTS_SEED), model(case), optax.sgd(0.0)).params
    weights = [np.array(layer[name]) for layer in params for name in ("kernel", "bias")]
    inputs, hidden, classes = case.sizes
    return [*weights, *(np.empty((case.batch_size, k), np.float32) for k in (inputs, hidden, classes, hidden))]


def _sgemm() -> ctypes.c_void_p:
    return ctypes.cast(_openblas().scipy_cblas_sgemm, ctypes.c_void_p)


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenBLAS computes a product in the thread that asks for it."""
    threads = _openblas().scipy_openblas_get_num_threads()
    _openblas().scipy_openblas_set_num_threads(1)
    try:
        yield
    finally:
        _openblas().scipy_openblas_set_num_threads(threads)


@functools.cache
def _openblas() -> ctypes.CDLL:
    return ctypes.CDLL(str(blas()))


@functools.cache
def _epoch() -> ctypes._CFuncPtr:  # type: ignore[name-defined]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "mlp.so"
        subprocess.run(["cc", *_COMPILER, str(_SOURCE), "-o", str(library), "-lm"], check=True)
        function = ctypes.CDLL(str(library)).epoch
    function.restype = None
    function.argtypes = [
        ctypes.c_void_p, ctypes.POINTER(_MLP), _BYTES, _INTS, _INTS,
        ctypes.c_int, ctypes.c_int, ctypes.c_float, _FLOATS,
    ]  # fmt: skip
    return function
