"""The whole system on one machine: a Temporal dev server with its Web UI, a local Lambda, a worker, and something to release.

    python -m deploy.local up         all of it, until Ctrl-C
    python -m deploy.local traffic    a steady stream of invocations through the sample's alias

In reading order:

    awslambda/    the local Lambda: a process of its own, see there for what is emulated and by whom
    leash         a command that ends when whoever started it ends
    processes     child processes that leave nothing behind
    emulator      the local Lambda as an ``async with``, for tests and for the stack
    ports         which ports, and who has taken them
    stack         the parts, started in order and ended in reverse
    sample        a function, two packages to release and an alarm
    functions/    the source of the sample's packages
    traffic       invocations, counted by the version that answered
"""
