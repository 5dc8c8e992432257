"""Activities as a worker registers them."""

from __future__ import annotations

import subprocess
import sys

from temporalio import activity

from activities import list_operations
from activities.configuration_response import FunctionConfiguration
from activities.function_models import CreateFunctionRequest
from activities.operation import ONCE, READ, WRITE, get_operation_policy
from tests.activities.model import pascal
from tests.activities.operations import METHODS, THIRTY
from tests.fake_lambda import FakeLambda


def test_operations_are_registered_once_under_their_own_names(
    port: FakeLambda,
) -> None:
    names = [
        activity._Definition.must_from_callable(method).name for method in list_operations(port)
    ]
    assert len(names) == len({*names})
    assert {*names} >= {*THIRTY}


def test_operations_have_types_that_temporal_knows(port: FakeLambda) -> None:
    definitions = {
        method.__name__: activity._Definition.must_from_callable(method)
        for method in list_operations(port)
    }
    assert definitions["create_function"].arg_types == [CreateFunctionRequest]
    assert definitions["create_function"].ret_type is FunctionConfiguration
    assert all(definition.arg_types and definition.ret_type for definition in definitions.values())


def test_policies_are_read_write_or_once_by_name() -> None:
    for name, (_, method) in METHODS.items():
        expected = (
            ONCE
            if name.startswith("invoke")
            else READ
            if name.startswith(("get_", "list_"))
            else WRITE
        )
        assert get_operation_policy(method) is expected, name


def test_docstrings_name_their_operation_of_aws() -> None:
    for name, (_, method) in METHODS.items():
        assert f"AWS: {pascal(name)}." in " ".join((method.__doc__ or "").split()), name


def test_import_of_activities_loads_no_botocore() -> None:
    script = (
        "import sys, activities; loaded = {name.partition('.')[0] for name in sys.modules}; "
        "sys.exit(bool(loaded & {'botocore', 'aiobotocore'}))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
