"""The world: what AWS can be asked, what it answers, and what happens when an answer is lost.

Read in this order:

    shapes                  the alphabet: requests are strict, responses lenient; names, ARNs, numbers
    errors                  what can go wrong, in a tree of faults; one table for every code of AWS's
    operation               how a method becomes an activity: the port, the terms, what a second attempt is
    readback                looking before doing it twice
    pages                   lists, page by page, and bounded
    aliases                 a resource class to read first: create, compare-and-set, delete, list
    configuration           what a function is set to; the door at which environment values stay behind
    functions               create, read, change and delete functions
    versions                publish a version once, list versions
    concurrency             reserved concurrency
    provisioned             provisioned concurrency, beyond the thirty operations
    event_sources           what an event source mapping is made of
    event_source_mappings   what Lambda polls for a function
    permissions             who may invoke a function
    tags                    names and values on resources
    invocations             run a function, once
    probing                 run a version, once, and judge its answer
    account                 limits and usage
    settling                wait until AWS has finished
    restoring               put ``$LATEST`` back
    references              resolve ``{{resolve:…}}`` in environment values
    looks, cloudwatch       alarms, and how many releases look at them with few calls
    queries, points, news   what CloudWatch is asked for a look at its metrics, what it tells, and whether that is new
    metrics                 what it measured of two versions, minute by minute
    rate, redaction         how fast we call, what an error may repeat
    share, slots, urgency   a worker's part of that rate, when it takes an activity, and what it takes even then
    dozing                  which workflows a worker need not keep in memory
    described               whether an answer is one of AWS's
    aws                     the door itself: aiobotocore, in the one module that knows it

Importing any of them but ``aws`` loads no botocore, and none reads the clock, the environment or a file.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from activities.account import Account
from activities.aliases import Aliases
from activities.cloudwatch.alarms import Alarms
from activities.cloudwatch.metrics import Metrics
from activities.concurrency import ReservedConcurrency
from activities.event_source_mappings import EventSourceMappings
from activities.functions import Functions
from activities.invocations import Invocations
from activities.operation import OperationGroup
from activities.permissions import Permissions
from activities.probes import Probes
from activities.provisioned import ProvisionedConcurrency
from activities.restore_latest import AwsWithDownloads, RestoreLatest
from activities.settling import Settling
from activities.tags import Tags
from activities.versions import Versions


def list_operations(aws: AwsWithDownloads) -> list[Callable[..., Coroutine[Any, Any, Any]]]:
    """Every activity there is, speaking through one port: what a worker registers. The first nine groups are the thirty operations."""
    groups: tuple[OperationGroup, ...] = (
        Functions(aws),
        Versions(aws),
        Aliases(aws),
        EventSourceMappings(aws),
        Permissions(aws),
        ReservedConcurrency(aws),
        Tags(aws),
        Invocations(aws),
        Account(aws),
        ProvisionedConcurrency(aws),
        Settling(aws),
        RestoreLatest(aws),
        Probes(aws),
        Alarms(aws),
        Metrics(aws),
    )
    return [activity for group in groups for activity in group.list_activities()]
