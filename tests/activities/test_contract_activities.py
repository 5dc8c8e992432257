"""What a worker registers."""

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


def test_a_worker_registers_each_of_the_thirty_operations_once_under_its_own_name(
    port: FakeLambda,
) -> None:
    names = [
        activity._Definition.must_from_callable(method).name for method in list_operations(port)
    ]
    assert len(names) == len({*names})
    assert {*names} >= {*THIRTY}


def test_temporal_knows_what_an_operation_takes_and_gives(port: FakeLambda) -> None:
    definitions = {
        method.__name__: activity._Definition.must_from_callable(method)
        for method in list_operations(port)
    }
    assert definitions["create_function"].arg_types == [CreateFunctionRequest]
    assert definitions["create_function"].ret_type is FunctionConfiguration
    assert all(definition.arg_types and definition.ret_type for definition in definitions.values())


def test_reads_are_reads_writes_are_writes_and_invocations_happen_once() -> None:
    for name, (_, method) in METHODS.items():
        expected = (
            ONCE
            if name.startswith("invoke")
            else READ
            if name.startswith(("get_", "list_"))
            else WRITE
        )
        assert get_operation_policy(method) is expected, name


def test_every_operation_names_its_source() -> None:
    for name, (_, method) in METHODS.items():
        assert f"AWS: {pascal(name)}." in " ".join((method.__doc__ or "").split()), name


def test_knowing_the_operations_loads_no_botocore() -> None:
    script = "import sys, activities; sys.exit(any(name.partition('.')[0] in {'botocore', 'aiobotocore'} for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
