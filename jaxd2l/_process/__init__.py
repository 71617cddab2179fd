"""A process and its machine: what it runs on, where it keeps things, how it is heard and how it ends."""
