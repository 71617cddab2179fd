"""PyTorch's own samples of its operations, replayed on their counterparts in JAX: right, and with planted defects."""
