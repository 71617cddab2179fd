"""The JSON of real reports is what its schema says, and nothing in it is left undescribed."""

import json
from importlib.resources import files

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator, ValidationError

from jaxd2l import models, parity
from parity_tests.example_spec import arguments

SCHEMA = json.loads(files("jaxd2l.parity").joinpath("report_schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def misshapen() -> parity.Report:
    """A report with infinite errors and no layers."""
    batch = np.ones((4, 3), np.float32), np.zeros(4)
    port = models.softmax_regression(3, 2)
    port = port._replace(apply=lambda p, x, *, key=None: (x @ p["kernel"] + p["bias"])[:1])
    return parity.check(torch.nn.Linear(3, 2), port, batch)


@pytest.mark.parametrize(
    "make",
    [lambda: parity.check(**arguments("gelu") | {"steps": 2}), misshapen],
    ids=["with all levels", "infinite"],
)
def test_a_report_is_what_the_schema_says(make) -> None:
    content = json.loads(make().json())
    VALIDATOR.validate(content)
    assert set(content) == set(SCHEMA["properties"])
    assert set(content["rows"][0]) == set(SCHEMA["$defs"]["row"]["properties"])
    for name, item in (("pairs", 0), ("layers", 0)):
        for found in content[name][item : item + 1]:
            assert set(found) == set(SCHEMA["properties"][name]["items"]["properties"])


def test_the_schema_refuses_what_is_wrong() -> None:
    VALIDATOR.check_schema(SCHEMA)
    content = json.loads(misshapen().json())
    for wrong in ({"schema": "another"}, {"ok": 1}, {"rows": [{**content["rows"][0], "verdict": "fine"}]}):
        with pytest.raises(ValidationError):
            VALIDATOR.validate(content | wrong)
