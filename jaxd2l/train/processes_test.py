"""Processes that meet, agree, train together and lose each other. Every one of them is killed in the end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.train import _exchange, processes

PORT = "import os, sys; from jaxd2l.train import _exchange, processes; me, port = int(sys.argv[1]), sys.argv[2]\n"
START = PORT + "processes.start(f'127.0.0.1:{port}', 2, me)\nimport jax, numpy as np\n"


def run_together(
    program: str, port: int, count: int = 2, patience: int = 100, **variables: str
) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of processes that are told their number and a port.

    When the first has ended the others have `patience` seconds more.
    """
    common = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    everyone = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(i), str(port)],
            env={**os.environ, **common, **{name: value.format(i=i, port=port) for name, value in variables.items()}},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for i in range(count)
    ]
    try:
        said = {0: everyone[0].communicate(timeout=180)}
        for i in range(1, count):
            with contextlib.suppress(subprocess.TimeoutExpired):
                said[i] = everyone[i].communicate(timeout=patience)
    finally:
        for process in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    for i, process in enumerate(everyone):
        if i not in said:
            said[i] = process.communicate()  # the killed one's end
    return [(process.wait(), *said[i]) for i, process in enumerate(everyone)]


def test_what_processes_exchange_arrives_bit_for_bit_and_disagreement_is_named(port) -> None:
    program = """
state = {"w": np.float32([-0.0, np.nan, 1 / 3]) * (1 + me), "step": np.int32(7 + me)}
first = _exchange.from_main(state)
assert [v.hex() for v in first["w"].tolist()] == ["-0x0.0p+0", "nan", "0x1.5555560000000p-2"], first
assert first["step"] == 7 and first["step"].dtype == np.int32
assert [_exchange.any_process(x) for x in (False, me == 0, me == 1, True)] == [False, True, True, True]
assert processes.is_main() == (me == 0)
_exchange.require_agreement({"a": np.arange(3), "b": "text"})
try:
    _exchange.require_agreement({"a": np.arange(3), "b": f"text {me}", "c": np.zeros(1 + me), "d": np.int32(1)})
except ValueError as error:
    print(error)
processes.stop()
assert jax.jit(lambda x: x + 1)(1) == 2
"""
    for code, out, err in run_together(START + program, port):
        assert code == 0, err
        assert out.splitlines()[-1] == "processes [1] differ from process 0 in: b, c; start all of them alike"


FIT = """
from jaxd2l import losses, models, optim, train
from jaxd2l.train import _layout, sharding
from jaxd2l.types import Batch, Dataset
random = np.random.default_rng(0)
data = Dataset(*(Batch(random.random((n, 4), np.float32), random.integers(0, 3, n).astype(np.int32)) for n in (22, 7)))
def fit(**options):
    return train.fit(models.mlp(4, 5, 3, dropout_rate=0.5), losses.cross_entropy, optim.sgd(0.3, momentum=0.9), data,
                     key=jax.random.key(3), batch_size=5, **options)
"""


@pytest.mark.long
def test_each_process_puts_only_its_rows_on_its_devices_and_all_have_the_same_result(port) -> None:
    program = """
mesh = sharding.make_mesh()
assert mesh.size == 4
placed = _layout.place(mesh, data.train, [np.arange(7), np.arange(7, 11)])
assert placed.inputs.shape == (2, 8, 4)
rows = np.concatenate([shard.data for shard in placed.inputs.addressable_shards], axis=1)
np.testing.assert_array_equal(rows[0], data.train.inputs[[[0, 1, 2, 3], [4, 5, 6, 0]][me]])
state, history = fit(epochs=4, mesh=mesh, on_epoch=lambda s, h: me == 1 and len(h.test_loss) == 2)
assert all(leaf.is_fully_replicated for leaf in jax.tree.leaves(state))
state = jax.device_get(state)
processes.stop()
alone, alone_history = fit(epochs=2)
for one, other in zip(jax.tree.leaves((alone, alone_history)), jax.tree.leaves((state, history)), strict=True):
    np.testing.assert_allclose(other, one, rtol=2e-4, atol=2e-6)
print([leaf.tobytes().hex() for leaf in jax.tree.leaves(state)])
"""
    two_devices = "import jax; jax.config.update('jax_num_cpu_devices', 2)\n"
    results = run_together(two_devices + START + FIT + program, port)
    for code, _, err in results:
        assert code == 0, err
    assert len({out.splitlines()[-1] for _, out, _ in results}) == 1


REFUSED = """
try:
    fit(epochs=1, mesh=sharding.make_mesh())
except ValueError as error:
    print(error)
processes.stop()
"""


@pytest.mark.long
def test_processes_with_different_numbers_of_devices_are_refused(port) -> None:
    uneven = "import jax, sys; jax.config.update('jax_num_cpu_devices', 1 + int(sys.argv[1]))\n"
    for code, out, err in run_together(uneven + START + FIT + REFUSED, port):
        assert code == 0, err
        assert out.splitlines()[-1] == "every process must have as many devices as the others; they have [1, 2]"


@pytest.mark.long
def test_processes_told_of_different_numbers_of_processes_are_refused(port) -> None:
    for code, out, err in run_together(START.replace("2, me", "2 + me, me") + FIT + REFUSED, port):
        assert code == 0, err
        assert "processes [1] differ from process 0 in: number of processes" in out.splitlines()[-1]


@pytest.mark.long
def test_the_first_state_of_process_0_is_everybodys(port) -> None:
    program = """
half, _ = fit(epochs=1)
mesh = sharding.make_mesh()
state, _ = fit(epochs=2, mesh=mesh, state=half if me == 0 else None)  # as if only process 0 had the checkpoint
state = jax.device_get(state)
processes.stop()
whole, _ = fit(epochs=2)
assert int(state.step) == 10
for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(state), strict=True):
    np.testing.assert_allclose(other, one, rtol=2e-4, atol=2e-6)
"""
    for code, _, err in run_together(START + FIT + program, port):
        assert code == 0, err


@pytest.mark.long
def test_batch_statistics_are_those_of_the_batch_of_all_processes(port) -> None:
    # Their running averages, too, come from process 0, as if only it had the checkpoint.
    program = """
from functools import partial
from jaxd2l import initializers
from jaxd2l.models import layers
init = initializers.torch_linear()
net = layers.sequential(
    layers.dense(5, init=init), layers.batch_norm(), layers.dropout(0.5), layers.dense(3, init=init)
)
fit = partial(train.fit, layers.stateful_model(net, (4,)), losses.cross_entropy, optim.sgd(0.1), data,
              key=jax.random.key(3), batch_size=6)
half, _ = fit(epochs=1)
mesh = sharding.make_mesh()
state, history = fit(epochs=3, mesh=mesh, state=half if me == 0 else None)
assert all(leaf.is_fully_replicated for leaf in jax.tree.leaves(state))
state = jax.device_get(state)
processes.stop()
whole, alone = fit(epochs=3)
assert not np.allclose(half.model_state[1]["var"], whole.model_state[1]["var"], rtol=0.05)
expected = whole, jax.tree.map(lambda rows: rows[1:], alone)
for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves((state, history)), strict=True):
    np.testing.assert_allclose(other, one, rtol=2e-4, atol=2e-6)
"""
    for code, _, err in run_together(START + FIT + program, port):
        assert code == 0, err


@pytest.mark.long
def test_a_process_that_dies_is_a_connection_error_for_the_other(port) -> None:
    program = """
def die_after_two_epochs(state, history):
    if me == 1 and len(history.test_loss) == 2:
        os._exit(77)
try:
    fit(epochs=10**6, mesh=sharding.make_mesh(), on_epoch=die_after_two_epochs)
except processes.ProcessLostError as error:
    print(error, flush=True)
    os._exit(4)
"""
    (code, out, err), (dead, *_) = run_together(START + FIT + program, port)
    assert (code, dead) == (ExitCode.PROCESS_LOST, 77), err
    assert "another process of this run was lost" in out + err


@pytest.mark.long
def test_a_process_that_hangs_ends_the_other_which_says_so(port) -> None:
    # Both do nothing: only the missing heartbeats can tell.
    program = """processes._HEARTBEAT_SECONDS = 5
processes.start(f'127.0.0.1:{port}', 2, me)
import signal, time
if me == 1:
    os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(170)
"""
    (code, _, err), _ = run_together(PORT + program, port, patience=0)
    assert code == ExitCode.PROCESS_LOST, err
    assert err.splitlines()[-1].endswith(
        "another process of this run was lost: it ended, or did not answer for 5 seconds"
    )


@pytest.mark.long
def test_a_process_whose_others_never_come_says_so(port) -> None:
    program = "processes.start(f'127.0.0.1:{port}', 2, 0, timeout=2)"
    [(code, _, err)] = run_together(PORT + program, port, count=1)
    assert code == ExitCode.PROCESS_LOST, err
    assert "did not find each other within 2 seconds; are all of them started" in err.splitlines()[-1]


def test_a_cluster_that_jax_knows_needs_no_more_words(port) -> None:
    slurm = {
        "SLURM_JOB_ID": "1",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": "{i}",
        "SLURM_LOCALID": "{i}",
        "JAX_COORDINATOR_PORT": "{port}",
    }
    program = "processes.start('auto')\nimport jax\nprint(jax.process_index(), jax.process_count())\nprocesses.stop()"
    for i, (code, out, err) in enumerate(run_together(PORT + program, port, **slurm)):
        assert code == 0, err
        assert out.split() == [str(i), "2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("here", 2, 0), r"must be HOST:PORT, such as 10\.0\.0\.1:8476, or \"auto\"; got 'here'"),
        ((":8476", 2, 0), "must be HOST:PORT"),
        (("here:70000", 2, 0), "must be HOST:PORT"),
        (("here:8476", 2, None), "needs the number of processes and the id of this one; got 2 and None"),
        (("here:8476", None, 0), "got None and 0"),
        (("here:8476", 2, 2), "the process id must be 0 to 1 with 2 processes; got 2"),
        (("here:8476", 2, -1), "got -1"),
        (("auto", 2, 0), "the cluster says how many processes there are"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        processes.start(*arguments)


def test_a_coordinator_that_nobody_is_at_is_told_in_time(port) -> None:
    with pytest.raises(
        processes.ProcessLostError, match=f"no coordinator at 127.0.0.1:{port} within 1 s.*has process 0 start"
    ):
        processes.start(f"127.0.0.1:{port}", 2, 1, timeout=1)


def test_a_port_at_which_another_run_listens_is_refused(port) -> None:
    # Shared, as JAX listens: it would take the port as well, and processes of the two runs would meet.
    with (
        socket.create_server(("127.0.0.1", port), reuse_port=True),
        pytest.raises(RuntimeError, match=f"process 0 cannot listen on 127.0.0.1:{port}: Address already in use"),
    ):
        processes.start(f"127.0.0.1:{port}", 2, 0)


def test_alone_there_is_nobody_to_ask_and_errors_stay_what_they_are() -> None:
    assert processes.is_main()
    assert [_exchange.any_process(x) for x in (True, False)] == [True, False]
    with pytest.raises(ValueError, match="INTERNAL: ours"), _exchange.loss_is_an_error():
        raise ValueError("INTERNAL: ours")
    assert jax.process_count() == 1
    _exchange.require_agreement({"a": np.arange(3)})
