"""`jaxd2l.optim` and `jaxd2l.schedules` against `torch.optim`, over 100 steps (D2L 12.4 to 12.11)."""
