"""Saved parameters come back bit for bit, or with an error that says what is wrong."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxd2l import models
from jaxd2l._files import named_leaves, write_file
from jaxd2l.train.checkpoint import load_params, save_params

arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float16, np.int32, np.uint8]), hnp.array_shapes(min_dims=0, min_side=0, max_dims=3)
)


@given(
    tree=st.recursive(
        arrays, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1) | st.tuples(inner, inner)
    )
)
def test_any_tree_of_arrays_survives_bit_for_bit(tree, tmp_path_factory):
    path = tmp_path_factory.mktemp("tree") / "params.safetensors"
    save_params(path, tree)
    restored = load_params(path, like=tree)
    assert jax.tree.structure(restored) == jax.tree.structure(tree)
    for old, new in zip(jax.tree.leaves(tree), jax.tree.leaves(restored), strict=True):
        assert new.dtype == old.dtype
        assert np.asarray(new).tobytes() == old.tobytes()


def test_leaves_are_named_by_their_place():
    assert list(named_leaves(models.mlp(4, 3, 2).init(jax.random.key(0)))) == [
        *("0.bias", "0.kernel"),
        *("1.bias", "1.kernel"),
    ]
    flax_params = models.flax_softmax_regression(4, 2).init(jax.random.key(0))
    assert list(named_leaves(flax_params)) == ["layers.0.bias", "layers.0.kernel"]


def test_two_leaves_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two of 2 leaves have the same name"):
        named_leaves({"a.b": jnp.ones(1), "a": {"b": jnp.ones(1)}})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.safetensors"):
        load_params(tmp_path / "nothing.safetensors", like=jnp.zeros(1))


@pytest.mark.parametrize("keep", [0, 1, 8, 40, -1])
def test_a_cut_file_is_refused(tmp_path, keep):
    path = tmp_path / "p.safetensors"
    save_params(path, {"w": jnp.ones(3)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="damaged"):
        load_params(path, like={"w": jnp.ones(3)})


@pytest.mark.parametrize("like", [{"w": jnp.ones(4)}, {"w": jnp.ones(3, jnp.int32)}, {"v": jnp.ones(3)}, {}])
def test_parameters_of_another_shape_are_refused(tmp_path, like):
    save_params(tmp_path / "p.safetensors", {"w": jnp.ones(3)})
    with pytest.raises(ValueError, match=r"w: expected .*, found \(\(3,\), 'float32'\)"):
        load_params(tmp_path / "p.safetensors", like=like)


def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_file(path, b"old")

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match=r"cannot write .*file: No space left on device"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_ctrl_c_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_points_to_is_written_and_the_link_stays(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for content in (b"first", b"second"):
        write_file(tmp_path / "link", content)
        assert (tmp_path / "file").read_bytes() == content
    assert (tmp_path / "link").is_symlink()


def test_a_pipe_is_written_into_and_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_file(tmp_path / "pipe", b"content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # to read it would take for ever
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ValueError, match="is not a regular file"):
            load_params(path, like={})


@pytest.mark.bad_input
def test_what_jax_cannot_hold_comes_back_as_it_was(tmp_path) -> None:
    params = {"counts": np.array([2**40, -1]), "b": np.ones(1, np.float32)}
    save_params(tmp_path / "p", params)
    loaded = load_params(tmp_path / "p", like=params)
    np.testing.assert_array_equal(loaded["counts"], params["counts"])  # JAX would wrap 2**40 to 0
    with pytest.raises(TypeError, match="not an array of numbers"):
        save_params(tmp_path / "p", {"a": "text"})
    with pytest.raises(TypeError, match="like must hold arrays or their shapes; 'counts' is 1"):
        load_params(tmp_path / "p", like={"counts": 1})


def test_a_file_of_the_former_linen_models_is_refused_by_name(tmp_path):
    """Until Flax's models became NNX modules, their leaves had other names."""
    path, model = tmp_path / "old.safetensors", models.flax_softmax_regression(4, 2)
    params = model.init(jax.random.key(0))
    save_params(path, {"params": {"Dense_0": params["layers"][0]}})
    with pytest.raises(
        ValueError, match=r"parameters of another model: layers\.0\.bias: .*params\.Dense_0\.bias: expected None"
    ):
        load_params(path, like=params)
