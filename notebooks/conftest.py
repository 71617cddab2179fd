"""The notebooks are executed by `notebooks_test.py`, each in a kernel of its own; they are no modules with doctests."""

collect_ignore_glob = ["ch*.py"]
