"""The local stack: Temporal with its Web UI, a local Lambda, a worker, a sample.

    python -m deploy.local up         run all of it until Ctrl-C
    python -m deploy.local demo       run two releases on a stack of their own
    python -m deploy.local traffic    invoke the sample's alias at a steady rate

In reading order:

    __main__              the command line
    stack                 starts the processes in order and stops them in reverse
    ports                 the ports they listen on
    processes             child processes that are always stopped and waited for
    parent_death_signal   ends a child process when its parent ends
    local_worker          the worker, which may be killed and started again
    emulator              the local Lambda as an async context manager
    awslambda/            the local Lambda itself, and what of it is emulated by whom
    sample                a function, two packages to release, and an alarm
    functions/            the source code of those packages
    traffic               invocations of the sample, counted by version
    demo                  a good and a broken release, and how each must end
"""
