"""A Lambda on this machine that routes, counts, waits and refuses as AWS does: ministack, with what it lacks added in its process.

ministack (one pinned release) runs the code, keeps the records and speaks AWS's protocols. In reading order:

    __main__      starts it: ``python -m deploy.local.awslambda --port 4566``
    environment   the clean environment and the private directory it runs in
    upstream      the pinned release, and every name of it that is called or replaced here
    server        serves it
    front         which operation goes to which of the modules below
    calls         what a request asks for
    refusals      AWS's errors, in AWS's words
    records       functions, versions and aliases, looked up as AWS looks them up
    pace          how long things take to settle here
    code          a function's package: where it comes from, where it can be fetched
    functions     create, read, list and delete a function
    settling      whether a change has come to rest
    updates       change code or configuration of $LATEST
    versions      publish
    aliases       name a version, split traffic between two
    routing       which version of an alias takes the next invocation
    invocations   invoke, and what every invocation passes through
    idle          environments nobody uses any more
    metrics       what is counted about an invocation
    alarms        when an alarm goes off, and when it calms down
    queries       metrics, and metric math over them
    expressions   the expressions of metric math
    statistics    sums, percentiles, trimmed counts
    permissions   resource policies, one per qualifier
    capacity      how concurrency is shared out
    concurrency   reserved concurrency, the account's settings
    provisioned   provisioned concurrency, which takes time
    mappings      event source mappings, which take time, too
    tags          tags, on functions only

What is ours and what is ministack's is worth knowing when a result surprises: routing, per-version metrics, alarm evaluation, every
refusal and every delay are ours; storage, execution, S3, SQS, SSM and Secrets Manager are ministack's.
"""
