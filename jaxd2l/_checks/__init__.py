"""Every refusal of a wrong argument, written once: `numbers` needs no JAX, `arrays` does."""
