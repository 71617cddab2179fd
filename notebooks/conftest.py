"""`notebooks_test.py` executes each notebook in a kernel of its own. Their texts are not modules with doctests.

Neither is the configuration of Sphinx, which is installed for the site alone.
"""

collect_ignore_glob = ["ch*.py", "site/conf.py"]
