"""A local Lambda with AWS's routing, metrics, delays and errors, on ministack.

ministack (one pinned release) runs the code, keeps the records and speaks AWS's protocols. What it
lacks is added in its process. In reading order:

    __main__                  starts it: ``python -m deploy.local.awslambda --port 4566``
    environment               the clean environment and the private directory that it runs in
    ministack_api             the pinned release, and its names that are called or replaced here
    server                    serves HTTP until a signal
    dispatcher                passes each request to the module of its operation
    calls                     parses a request: operation, function name, qualifier
    errors                    AWS's errors, with AWS's messages
    records                   functions, versions and aliases, looked up by AWS's rules
    delays                    how long a change takes here
    code                      a function's package: upload, limits, download
    functions                 create, read, list and delete functions
    settling                  whether a function has settled, and when it does
    updates                   change code or configuration of $LATEST
    versions                  publish versions
    aliases                   create, read, update and delete aliases
    routing                   which version of an alias runs the next invocation
    invocations               invoke, and what every invocation passes through
    idle_environments         ends execution environments that are no longer used
    metrics                   the metrics of an invocation
    alarms                    when an alarm's state changes
    metric_queries            GetMetricData
    metric_math               the expressions of metric math
    statistics                sums, percentiles, trimmed counts
    permissions               resource policies, one for each qualifier
    capacity                  how concurrency is shared between functions
    concurrency               reserved concurrency, and the account's settings
    provisioned_concurrency   provisioned concurrency, which takes time to allocate
    event_source_mappings     event source mappings, which take time to change
    tags                      tags of functions and of event source mappings

Routing, per-version metrics, alarm evaluation, every error and every delay are ours. Storage,
execution, S3, SQS, SSM and Secrets Manager are ministack's.
"""
