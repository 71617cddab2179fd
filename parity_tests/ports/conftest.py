"""The models have no tests of their own, and importing them needs the extra `ports`."""

collect_ignore_glob = ["[!p]*.py"]
