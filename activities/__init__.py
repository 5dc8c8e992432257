"""AWS operations as Temporal activities: their requests, responses and retries.

Operations on one resource are the methods of one class, in a module named after the resource. The
input and output models of an operation carry AWS's names. Reading order:

Foundations

- :mod:`~activities.shapes`: base models (strict requests, lenient responses), names, ARNs, numbers
- :mod:`~activities.errors`: errors, classified into faults
- :mod:`~activities.error_codes`: the table of error codes
- :mod:`~activities.advice`: what to do about an error, by its cause
- :mod:`~activities.retry_budget`: how long failures in a row are retried
- :mod:`~activities.failure_streak`: since when an activity has failed
- :mod:`~activities.operation`: how a method becomes an activity; the AWS port, and retry policies
- :mod:`~activities.readback`: reads a resource before a write is repeated
- :mod:`~activities.pagination`: bounded lists, page by page

Resources

- :mod:`~activities.aliases`: a good first example: create, compare-and-set, delete, list
- :mod:`~activities.functions`: create, read, change and delete functions
- :mod:`~activities.function_models`: their requests and responses
- :mod:`~activities.function_readback`: compares a function with a request
- :mod:`~activities.function_content`: the package and the settings of a function
- :mod:`~activities.configuration`: the settings of a function, as they are sent
- :mod:`~activities.configuration_response`: the same as AWS returns them, without secret values
- :mod:`~activities.dynamic_references`: resolves ``{{resolve:…}}`` in environment values
- :mod:`~activities.versions`: publish a version once, list versions
- :mod:`~activities.concurrency`: reserved concurrency
- :mod:`~activities.provisioned`: provisioned concurrency
- :mod:`~activities.event_source_mappings`: what Lambda polls for a function
- :mod:`~activities.event_source_mapping_models`: their requests and responses
- :mod:`~activities.event_sources`: the parts of an event source mapping
- :mod:`~activities.permissions`: a function's resource policy
- :mod:`~activities.tags`: tags of resources
- :mod:`~activities.invocations`: invoke a function, once
- :mod:`~activities.account`: limits and usage of the account
- :mod:`~activities.diagnosis`: what a worker knows of itself, for ``releases doctor``
- :mod:`~activities.check_result`: what one check of it finds
- :mod:`~activities.permission_needs`: how AWS authorizes the calls, for doctor and for policies
- :mod:`~activities.permission_resources`: the resources that releases of one function are about
- :mod:`~activities.permission_check`, :mod:`~activities.permission_reads`: which permissions the
  worker has, as IAM simulates them, or by trying reads
- :mod:`~activities.product_version`: the version of this program
- :mod:`~activities.identity`: whose credentials the worker has, and the refusal of other accounts

What a worker does at anybody's request

- :mod:`~activities.access`: the limits that its operator sets, and the guard that keeps them
- :mod:`~activities.function_scope`: which functions it touches
- :mod:`~activities.reference_scope`: what dynamic references may name
- :mod:`~activities.name_patterns`: the patterns of all three

Operations beyond AWS's own

- :mod:`~activities.temporal_client`: what activities read from Temporal
- :mod:`~activities.settling`: wait until AWS has finished a change, or a version can serve
- :mod:`~activities.constraints`: what limits a release of one function
- :mod:`~activities.restore_latest`: put back what ``$LATEST`` held before a release
- :mod:`~activities.restore_models`: its request and response
- :mod:`~activities.latest_code`, :mod:`~activities.latest_settings`: the two parts of it
- :mod:`~activities.latest_writer`: conditional writes to ``$LATEST``
- :mod:`~activities.published_versions`: searches versions for code and environment
- :mod:`~activities.version_comparison`: find a version of the same content
- :mod:`~activities.triggers`: what is set up to invoke a function, and under which qualifier
- :mod:`~activities.probes`: invoke a version, once, and assess its response
- :mod:`~activities.latest_comparison`: compare ``$LATEST`` with the live version
- :mod:`~activities.artifact_lookup`: look whether what is to be written is there
- :mod:`~activities.latest_users`: find which other release uses ``$LATEST``
- :mod:`~activities.version_watch`: whether a version is still there
- :mod:`~activities.images`: find the digest of an image's tag
- :mod:`~activities.cloudwatch`: alarms and metrics

The connection

- :mod:`~activities.aws`: the connection itself; the only module that imports aiobotocore
- :mod:`~activities.credential_source`: where its credentials come from
- :mod:`~activities.transport`: its timeouts and sockets
- :mod:`~activities.user_agent`: names the release that a request is for
- :mod:`~activities.region_check`: refuses functions of another region
- :mod:`~activities.bucket_region`: refuses to follow S3 to a bucket of another region
- :mod:`~activities.clock_skew`: how far this machine's clock is from AWS's
- :mod:`~activities.error_response`, :mod:`~activities.response_body`: parse an HTTP response
- :mod:`~activities.response_check`: compares a response with AWS's service model
- :mod:`~activities.redaction`: keeps secrets out of error messages
- :mod:`~activities.escape_sequences`: the ways in which a message spells a text
- :mod:`~activities.package_download`: downloads a function's package
- :mod:`~activities.call_metric`: counts calls to AWS Lambda
- :mod:`~activities.limits`: rate limits, and which work is served first

Importing any module but ``aws`` loads no botocore, and none reads the clock, the environment or a
file.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from activities.access import Access, FunctionGuard, limit_operation
from activities.account import Account
from activities.aliases import Aliases
from activities.cloudwatch.alarms import Alarms
from activities.cloudwatch.metrics import Metrics
from activities.concurrency import ReservedConcurrency
from activities.constraints import Constraints
from activities.diagnosis import WorkerDiagnosis
from activities.event_source_mappings import EventSourceMappings
from activities.functions import Functions
from activities.identity import Identity
from activities.images import Images
from activities.invocations import Invocations
from activities.latest_comparison import LatestComparison
from activities.operation import AwsWithDownloads, OperationGroup
from activities.permissions import Permissions
from activities.probes import Probes
from activities.provisioned import ProvisionedConcurrency
from activities.restore_latest import RestoreLatest
from activities.settling import Settling
from activities.tags import Tags
from activities.triggers import Triggers
from activities.version_comparison import VersionComparison
from activities.version_watch import VersionWatch
from activities.versions import Versions


def list_operations(
    aws: AwsWithDownloads, access: Access | None = None
) -> list[Callable[..., Coroutine[Any, Any, Any]]]:
    """Return every activity, over one port to AWS, for a worker to register.

    The first nine groups are the thirty operations of AWS Lambda's API. An activity that ``access``
    does not allow is registered as well, and fails as ``Denied``: its caller would wait for ever
    for one that is not. Without ``access`` there are no limits.
    """
    access = access or Access()
    if access.functions is not None:
        aws = FunctionGuard(aws, access.functions)
    groups: tuple[OperationGroup, ...] = (
        Functions(aws, access.references),
        Versions(aws),
        Aliases(aws),
        EventSourceMappings(aws),
        Permissions(aws),
        ReservedConcurrency(aws),
        Tags(aws),
        Invocations(aws),
        Account(aws),
        Identity(aws),
        ProvisionedConcurrency(aws),
        Settling(aws),
        Constraints(aws),
        RestoreLatest(aws),
        VersionComparison(aws),
        Triggers(aws),
        Probes(aws),
        LatestComparison(aws, access.references),
        Images(aws),
        Alarms(aws),
        Metrics(aws),
        VersionWatch(aws),
        WorkerDiagnosis(aws, access.references),
    )
    activities = [activity for group in groups for activity in group.list_activities()]
    if access.operations is None:
        return activities
    return [limit_operation(activity, access) for activity in activities]
