"""What compiling a training loop buys: the same training timed in every way, JAX's and torch's (D2L 3.1.2, 4.2, 5.2).

`python -m jaxd2l bench` from the shell. Torch's half stands in `jaxd2l.parity`; without torch the JAX half is timed.
"""
