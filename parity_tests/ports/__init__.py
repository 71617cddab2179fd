"""Public PyTorch models that we did not write, each beside a port in a JAX framework. Needs the extra `ports`."""
