"""Parameters on disk, as safetensors: plain named arrays, no code inside. torch reads the same files."""

import os

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l._files import named_leaves, read_tensors, write_file
from jaxd2l.types import Params


def save_params(path: str | os.PathLike[str], params: Params) -> None:
    """Writes a pytree of arrays to a safetensors file; each is named by its path, such as "0.kernel".

    The file appears whole or not at all. D2L 6.3 (`torch.save`, without its pickle).

    Raises:
      OSError: if it cannot be written; a file that was there before is unharmed.
      TypeError: a leaf that does not hold numbers.

    >>> import tempfile, pathlib
    >>> model = models.mlp(4, 3, 2)
    >>> params = model.init(jax.random.key(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_params(pathlib.Path(folder, "mlp.safetensors"), params)
    ...     restored = load_params(pathlib.Path(folder, "mlp.safetensors"), like=params)
    >>> bool((restored[0]["kernel"] == params[0]["kernel"]).all())
    True
    """
    import safetensors.numpy

    arrays = {name: np.asarray(leaf) for name, leaf in named_leaves(params).items()}
    for name, array in arrays.items():
        if array.dtype.kind in "OSUMm" or array.dtype.itemsize > 8:
            raise TypeError(f"{name!r} is not an array of numbers: {array.dtype} cannot be saved")
    write_file(path, safetensors.numpy.save(arrays))


def load_params(path: str | os.PathLike[str], like: Params) -> Params:
    """Reads what `save_params` wrote into the structure of `like`.

    Args:
      path: a safetensors file.
      like: a pytree of arrays or of their shapes, such as `jax.eval_shape(model.init, key)`.

    Returns:
      A pytree like `like`, bit for bit as saved.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: a damaged file, or names, shapes or dtypes other than those of `like`.
    """
    tensors = read_tensors(path)
    for name, leaf in named_leaves(like).items():
        if not (hasattr(leaf, "shape") and hasattr(leaf, "dtype")):
            raise TypeError(f"like must hold arrays or their shapes; {name!r} is {leaf!r}")
    expected = {name: (leaf.shape, str(leaf.dtype)) for name, leaf in named_leaves(like).items()}
    found = {name: (tensor.shape, str(tensor.dtype)) for name, tensor in tensors.items()}
    if found != expected:
        different = sorted(name for name in expected | found if expected.get(name) != found.get(name))
        details = "; ".join(f"{n}: expected {expected.get(n)}, found {found.get(n)}" for n in different)
        raise ValueError(f"{path} holds the parameters of another model: {details}")
    # A 64-bit array stays in NumPy: JAX would round its numbers, or wrap them around.
    is_kept = {name: jax.dtypes.canonicalize_dtype(tensor.dtype) == tensor.dtype for name, tensor in tensors.items()}
    leaves = [jnp.array(tensors[name]) if is_kept[name] else tensors[name] for name in named_leaves(like)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)
