"""What compiling a training loop buys: the same training timed in every way, JAX's and torch's (D2L 3.1.2, 4.2, 5.2).

`jaxd2l bench` runs it from the shell. Without torch only JAX's half is timed.
"""
