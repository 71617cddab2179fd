"""The bridge with what state_dicts hold beside plain weights: shared tensors, counters, layers of another form."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.torch
import torch

from jaxd2l import parity

TABLE = {"emb": {"embedding": jnp.zeros((7, 4))}}


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb, self.out = torch.nn.Embedding(7, 4), torch.nn.Linear(4, 7, bias=False)
        self.out.weight = self.emb.weight


def test_a_shared_tensor_is_taken_once_and_given_back_under_both_names() -> None:
    state = Tied().state_dict()
    params = parity.from_torch(state, TABLE)
    np.testing.assert_array_equal(params["emb"]["embedding"], state["emb.weight"])
    back = parity.to_torch(params, state)
    assert list(back) == ["emb.weight", "out.weight"]
    assert torch.equal(back["out.weight"], state["out.weight"])
    Tied().load_state_dict(back)


def test_a_shared_tensor_fills_two_arrays_where_jax_has_two() -> None:
    like = {"emb": {"weight": jnp.zeros((7, 4))}, "out": {"weight": jnp.zeros((7, 4))}}
    params = parity.from_torch(Tied().state_dict(), like)
    np.testing.assert_array_equal(params["emb"]["weight"], params["out"]["weight"])


def test_a_tied_file_has_one_of_the_names(tmp_path) -> None:
    module, path = Tied(), tmp_path / "tied.safetensors"
    safetensors.torch.save_model(module, str(path))
    for of in (None, module):
        params = parity.read_safetensors(path, TABLE, module=of)
        np.testing.assert_array_equal(params["emb"]["embedding"], module.emb.weight.detach())


def test_a_batch_norms_counter_is_no_weight() -> None:
    module = torch.nn.BatchNorm1d(3)
    module.running_mean.fill_(2.0)
    like = {name: jnp.zeros(3) for name in ("scale", "bias", "mean", "var")}
    names = {"running_mean": "mean", "running_var": "var"}
    params = parity.from_torch(module.state_dict(), like, weights=names)
    np.testing.assert_array_equal(params["mean"], [2.0, 2.0, 2.0])
    back = parity.to_torch(params, module.state_dict(), weights=names)
    assert torch.equal(back["running_mean"], module.running_mean)
    module.load_state_dict(back)


def variables(model, *shape):
    return jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(shape))


def test_with_the_module_layers_are_known_both_ways() -> None:
    module = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 4))
    module[0].running_var.uniform_(1.0, 2.0)
    model = nn.Sequential([nn.BatchNorm(use_running_average=True), nn.Dense(4)])
    state = module.state_dict()
    params = parity.from_torch(state, variables(model, 2, 4), module=module)
    np.testing.assert_array_equal(params["params"]["layers_1"]["kernel"], state["1.weight"].T)
    back = parity.to_torch(params, state, module=module)
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_two_biases_that_jax_adds_come_back_as_halves() -> None:
    module = torch.nn.LSTM(3, 5)
    model = nn.RNN(nn.LSTMCell(5))
    params = parity.from_torch(module.state_dict(), variables(model, 2, 4, 3), module=module)
    back = parity.to_torch(params, module.state_dict(), module=module)
    assert torch.equal(back["weight_ih_l0"], module.weight_ih_l0)
    assert torch.equal(back["bias_ih_l0"] + back["bias_hh_l0"], module.bias_ih_l0 + module.bias_hh_l0)
    module.load_state_dict(back)
    again = parity.from_torch(back, variables(model, 2, 4, 3), module=module)
    jax.tree.map(np.testing.assert_array_equal, again, params)


def test_a_weight_that_is_computed_has_no_way_back() -> None:
    module = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 5))
    params = parity.from_torch(module.state_dict(), variables(nn.Dense(5), 2, 3), module=module)
    np.testing.assert_allclose(params["params"]["kernel"], module.weight.detach().T, rtol=1e-6)
    with pytest.raises(ValueError, match="kernel"):
        parity.to_torch(params, module.state_dict(), module=module)


def test_a_mapping_of_expressions_and_a_function_do_here_as_in_check() -> None:
    module, like = torch.nn.PReLU(), {"slope": jnp.zeros(())}
    for weights in ({"slope": parity.take("weight").reshape()}, lambda arrays: {"slope": arrays["weight"][0]}):
        assert float(parity.from_torch(module.state_dict(), like, weights=weights)["slope"]) == 0.25
        back = parity.to_torch({"slope": jnp.float32(3.0)}, module.state_dict(), weights=weights)
        assert back["weight"].tolist() == [3.0]


def test_parameters_that_the_file_lacks_are_named() -> None:
    module = torch.nn.Linear(3, 2)
    with pytest.raises(ValueError, match="lacks parameters that the module has: bias"):
        parity.from_torch({"weight": module.weight}, {"w": jnp.zeros((3, 2))}, module=module)
