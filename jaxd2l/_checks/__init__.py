"""Every refusal of a wrong argument, written once. `numbers` and `shapes` work without JAX.

`require_...` raises or returns nothing. A function named after what it returns (`floating`, `classes`) checks, converts
and returns. The wrong kind of thing is a TypeError; the right kind with a wrong value or shape is a ValueError. Limits
come first and arguments follow by name, so that the message can name them: `require_whole(1, epochs=epochs)`.
"""
