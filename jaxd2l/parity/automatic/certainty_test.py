"""What is not certain is not paired: names, numbers and shapes that contradict each other, or say too little."""

import itertools
import random

import pytest
import torch

from jaxd2l.parity.automatic import find, structured


class Named(torch.nn.Module):
    """Modules under these names, in this order."""

    def __init__(self, **modules: torch.nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


def kernels(**shapes):
    return {f"params.{name}.kernel": shape for name, shape in shapes.items()}


def layers_of(found):
    """Which torch layer each JAX layer is, as far as it is certain."""
    return {leaf.split(".")[1]: weight.sources[0].rpartition(".")[0] for leaf, weight in found.items()}


def test_layers_of_one_shape_whose_names_say_nothing_are_ambiguous() -> None:
    module = Named(up=torch.nn.Linear(4, 4, bias=False), side=torch.nn.Linear(4, 4, bias=False))
    found = find(module, kernels(first=(4, 4), second=(4, 4)), "Linen")
    assert not found.weights
    assert found.ambiguous["params.first.kernel"] == ("up", "side")
    assert repr(found.guesses["params.second.kernel"]) == "take('side.weight').T"


@pytest.mark.parametrize("names", [*itertools.permutations(["query", "key", "value", "out"])])
def test_names_decide_whatever_the_order(names) -> None:
    module = Named(**{name: torch.nn.Linear(4, 4, bias=False) for name in ("q_proj", "k_proj", "v_proj", "o_proj")})
    found = layers_of(structured(module, kernels(**dict.fromkeys(names, (4, 4))), "Linen"))
    assert found == {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "o_proj"}


def test_one_of_four_may_be_left_over_and_is_then_known() -> None:
    module = Named(**{name: torch.nn.Linear(4, 4, bias=False) for name in ("query", "key", "value", "dense")})
    leaves = kernels(query=(4, 4), projection=(4, 4), value=(4, 4), key=(4, 4))
    assert layers_of(structured(module, leaves, "Linen"))["projection"] == "dense"


def test_numbers_are_trusted_where_the_shapes_have_the_same_order() -> None:
    sizes = [(3, 4), (4, 4), (4, 4), (4, 5)]
    module = torch.nn.Sequential(*(x for s in sizes for x in (torch.nn.Linear(*s, bias=False), torch.nn.ReLU())))
    leaves = kernels(**{f"Dense_{i}": size for i, size in enumerate(sizes)})
    assert layers_of(structured(module, leaves, "Linen")) == {f"Dense_{i}": str(2 * i) for i in range(4)}


def test_numbers_are_not_trusted_where_the_shapes_have_another_order() -> None:
    sizes = [(3, 4), (4, 4), (4, 4), (4, 5)]
    module = torch.nn.Sequential(*(torch.nn.Linear(*s, bias=False) for s in sizes))
    leaves = kernels(Dense_0=(4, 4), Dense_1=(3, 4), Dense_2=(4, 4), Dense_3=(4, 5))
    found = find(module, leaves, "Linen")
    assert layers_of(found.weights) == {"Dense_1": "0", "Dense_3": "3"}
    assert found.ambiguous["params.Dense_0.kernel"] == ("1", "2")


@pytest.mark.parametrize("framework", ["Linen", "NNX"])
def test_ten_and_more_are_counted_as_numbers(framework) -> None:
    module = Named(layers=torch.nn.ModuleList(torch.nn.Linear(4, 4, bias=False) for _ in range(12)))
    found = structured(module, {f"params.layers.{i}.kernel": (4, 4) for i in range(12)}, framework)
    assert {leaf: weight.sources[0] for leaf, weight in found.items()} == {
        f"params.layers.{i}.kernel": f"layers.{i}.weight" for i in range(12)
    }


def test_layers_of_equal_names_and_other_shapes_are_not_paired_with_each_others_partners() -> None:
    module = Named(encoder=torch.nn.Linear(3, 4, bias=False), decoder=torch.nn.Linear(4, 5, bias=False))
    assert not structured(module, kernels(decoder=(3, 4), encoder=(4, 5)), "Linen")
    nested = {"params.decoder.Dense_0.kernel": (3, 4), "params.encoder.Dense_0.kernel": (4, 5)}
    assert not structured(module, nested, "Linen")


def test_relative_names_are_no_evidence() -> None:
    """In one code the norm after attention is the second of the block, in another "attention_norm" is the first."""
    block = {name: torch.nn.LayerNorm(4, bias=False) for name in ("norm_in", "post_attention_norm", "last")}
    leaves = {f"params.{name}.scale": (4,) for name in ("attention_norm", "start", "end")}
    assert not structured(Named(**block), leaves, "Linen")


def test_the_two_norms_of_a_block_have_known_names() -> None:
    block = {name: torch.nn.LayerNorm(4, bias=False) for name in ("input_layernorm", "post_attention_layernorm")}
    leaves = {"params.attention_norm.scale": (4,), "params.ffn_norm.scale": (4,)}
    found = layers_of(structured(Named(**block), leaves, "Linen"))
    assert found == {"attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    four = {**block, "pre_feedforward_layernorm": torch.nn.LayerNorm(4, bias=False)}
    found = structured(Named(**four), {**leaves, "params.post_attention_norm.scale": (4,)}, "Linen")
    assert layers_of(found) == {"post_attention_norm": "post_attention_layernorm"}


def test_a_square_kernel_of_the_users_own_making_is_left_to_the_user() -> None:
    module = torch.nn.Linear(4, 4)
    leaves = {"params.kernel": (4, 4), "params.bias": (4,)}
    assert not structured(module, leaves, "Model")
    assert "params.weight" not in structured(module, {"params.weight": (4, 4), "params.bias": (4,)}, "Linen")
    assert len(structured(module, leaves, "Linen")) == 2
    own = {"params.Dense_0.kernel": (4, 4), "params.Dense_0.bias": (4,)}
    assert len(structured(module, own, "Model")) == 2


def test_a_kernel_of_the_users_own_making_may_stand_as_in_torch() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 4, bias=False), torch.nn.Linear(4, 3, bias=False))
    as_in_torch = {"layers.0.w": (4, 3), "layers.1.w": (3, 4)}
    assert not structured(module, as_in_torch, "Model")
    assert len(structured(module, as_in_torch, "Haiku")) == 2


def test_the_users_own_word_is_taken_for_the_whole_layer() -> None:
    module = Named(up=torch.nn.Linear(4, 4), side=torch.nn.Linear(4, 4))
    leaves = {f"params.{n}.{leaf}": (4, 4)[: 2 if leaf == "kernel" else 1] for n in "ab" for leaf in ("kernel", "bias")}
    found = find(module, leaves, "Linen", {"params.b.kernel": ("up.weight",)})
    assert {leaf: repr(weight) for leaf, weight in found.weights.items()} == {
        "params.b.kernel": "take('up.weight').T",
        "params.b.bias": "take('up.bias')",
        "params.a.kernel": "take('side.weight').T",
        "params.a.bias": "take('side.bias')",
    }


def test_heads_flattened_channels_last_are_no_linear_layer() -> None:
    """A kernel (height, width, channels, out) after a flattening: the order of torch's columns is another one."""
    assert not structured(torch.nn.Linear(2 * 3 * 4, 5, bias=False), {"params.kernel": (3, 4, 2, 5)}, "Linen")


def convolution(path, inputs, window):
    return {f"params.{path}.kernel": (window, window, inputs, 8)}


def batch_norm(path):
    places = {"params": ("scale", "bias"), "batch_stats": ("mean", "var")}
    return {f"{place}.{path}.{leaf}": (8,) for place, leaves in places.items() for leaf in leaves}


def test_a_norm_belongs_to_its_convolution() -> None:
    shortcut = Named(convolution=torch.nn.Conv2d(4, 8, 1, bias=False), normalization=torch.nn.BatchNorm2d(8))
    layers = [torch.nn.Conv2d(n, 8, 3, bias=False) for n in (4, 8)]
    module = Named(conv1=layers[0], bn1=torch.nn.BatchNorm2d(8), conv2=layers[1], bn2=torch.nn.BatchNorm2d(8))
    module.add_module("shortcut", shortcut)
    leaves = convolution("Conv_0", 4, 1) | convolution("Conv_1", 4, 3) | convolution("Conv_2", 8, 3)
    leaves |= batch_norm("BatchNorm_0") | batch_norm("BatchNorm_1") | batch_norm("BatchNorm_2")
    found = layers_of(structured(module, leaves, "Linen"))
    assert found["BatchNorm_0"] == "shortcut.normalization"
    assert (found["BatchNorm_1"], found["BatchNorm_2"]) == ("bn1", "bn2")
    without = {name: shape for name, shape in leaves.items() if "Conv_1" not in name}
    assert not any("BatchNorm" in leaf for leaf in structured(module, without, "Linen"))


def test_a_norm_belongs_to_the_convolution_of_its_block() -> None:
    """As jax_resnet has them: one of each in a block whose own name speaks of a convolution."""
    blocks = [
        Named(convolution=torch.nn.Conv2d(n, 8, 3, bias=False), normalization=torch.nn.BatchNorm2d(8)) for n in (4, 5)
    ]
    leaves: dict[str, tuple[int, ...]] = {}
    for i, inputs in enumerate((5, 4)):
        leaves |= convolution(f"ConvBlock_{i}.Conv_0", inputs, 3) | batch_norm(f"ConvBlock_{i}.BatchNorm_0")
    found = structured(Named(first=blocks[0], second=blocks[1]), leaves, "Linen")
    assert repr(found["params.ConvBlock_0.BatchNorm_0.scale"]) == "take('second.normalization.weight')"
    assert repr(found["batch_stats.ConvBlock_1.BatchNorm_0.mean"]) == "take('first.normalization.running_mean')"


def test_the_order_of_the_leaves_does_not_matter() -> None:
    sizes = [(3, 4), (4, 4), (4, 4), (4, 4), (4, 5)]
    module = torch.nn.Sequential(*(torch.nn.Linear(*s) for s in sizes), torch.nn.LayerNorm(5))
    leaves = kernels(**{f"Dense_{i}": size for i, size in enumerate(sizes)})
    leaves |= {f"params.Dense_{i}.bias": size[1:] for i, size in enumerate(sizes)}
    leaves |= {"params.LayerNorm_0.scale": (5,), "params.LayerNorm_0.bias": (5,)}
    expected = {leaf: repr(weight) for leaf, weight in structured(module, leaves, "Linen").items()}
    assert len(expected) == len(leaves)
    for seed in range(5):
        shuffled = dict(random.Random(seed).sample([*leaves.items()], len(leaves)))
        found = structured(module, shuffled, "Linen")
        assert {leaf: repr(weight) for leaf, weight in found.items()} == expected
