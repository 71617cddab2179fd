"""The weight bridge: both ways, through files, and never the same memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.torch
import torch

from jaxd2l import models, parity

MODEL = models.mlp(4, 8, 3)
LIKE = jax.eval_shape(MODEL.init, jax.random.key(0))


def module() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


def test_there_and_back_again_is_bitwise() -> None:
    original = module().state_dict()
    params = parity.from_torch(original, LIKE)
    back = parity.to_torch(params, original)
    assert list(back) == list(original)
    assert all(torch.equal(back[name], original[name]) for name in original)
    np.testing.assert_array_equal(params[0]["kernel"], original["0.weight"].numpy().T)


def test_an_in_place_step_of_torch_leaves_jax_alone_and_the_reverse() -> None:
    theirs = module()
    params = parity.from_torch(theirs.state_dict(), LIKE)
    before = jax.tree.map(lambda x: np.array(x, copy=True), params)
    back = parity.to_torch(params, theirs.state_dict())
    with torch.no_grad():
        for parameter in (*theirs.parameters(), *back.values()):
            parameter.fill_(7.0)
    jax.tree.map(np.testing.assert_array_equal, params, before)
    kept = parity.to_torch(params, theirs.state_dict())
    held = {name: tensor.clone() for name, tensor in kept.items()}
    jax.block_until_ready(jax.jit(lambda p: jax.tree.map(jnp.zeros_like, p), donate_argnums=0)(params))
    assert all(torch.equal(kept[name], held[name]) for name in kept)


def test_files_go_in_and_out(tmp_path) -> None:
    theirs, path = module(), tmp_path / "weights.safetensors"
    params = parity.from_torch(theirs.state_dict(), LIKE)
    parity.write_safetensors(path, params, theirs.state_dict())
    other = module()
    with torch.no_grad():
        other[0].weight.zero_()
    other.load_state_dict(safetensors.torch.load_file(path))
    assert torch.equal(other[0].weight, theirs[0].weight)

    safetensors.torch.save_file(theirs.state_dict(), path)
    jax.tree.map(np.testing.assert_array_equal, parity.read_safetensors(path, LIKE), params)
    path.write_bytes(b"no such thing")
    with pytest.raises(ValueError, match="damaged"):
        parity.read_safetensors(path, LIKE)


def test_nan_among_the_weights_is_named() -> None:
    broken = module()
    with torch.no_grad():
        broken[2].weight[1, 2] = torch.nan
    with pytest.raises(ValueError, match=r"2.weight holds nan at index \(1, 2\)"):
        parity.from_torch(broken.state_dict(), LIKE)
