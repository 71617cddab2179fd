"""`notebooks_test.py` executes each notebook in a kernel of its own. Their texts are not modules with doctests."""

collect_ignore_glob = ["ch*.py"]
