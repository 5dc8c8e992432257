"""Run one seed or several: ``python -m tests.chaos --seed 7 --releases 110``.

The exit status is 1 if an invariant broke.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig

from tests.chaos.report import format_row, to_document
from tests.chaos.run import run
from tests.chaos.schedule import draw


def main() -> int:
    """Run the seeds; print the fault schedule of a failing one."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Releases amid seeded faults; see docs/chaos.md.",
    )
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--releases", type=int, default=100)
    parser.add_argument(
        "--over", type=float, default=45, metavar="SECONDS", help="within which they begin"
    )
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument(
        "--kills", type=int, default=3, help="of workers; Temporal is killed once more"
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=360,
        metavar="SECONDS",
        help="after which everything must have ended",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path(".local/chaos"),
        help="where ledgers and logs are left, by seed",
    )
    parser.add_argument(
        "--resets",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether people reset workflows in the UI, too",
    )
    arguments = parser.parse_args()
    Runtime.set_default(
        Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter="OFF")))
    )  # Temporal is down now and then, by the schedule
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # ends as Ctrl-C does, with all processes stopped
    broken = 0
    for seed in arguments.seed:
        schedule = draw(
            seed,
            arguments.releases,
            over=arguments.over,
            workers=arguments.workers,
            kills=arguments.kills,
            resets=arguments.resets,
        )
        keep = arguments.keep / str(seed)
        result = asyncio.run(
            run(schedule, workers=arguments.workers, limit=arguments.limit, keep=keep)
        )
        (keep / "result.json").write_text(json.dumps(to_document(result), indent=1))
        says = [format_row(result)]
        if result.violations:
            broken += 1
            says += [
                str(schedule),
                *result.violations,
                f"seed {seed}: {len(result.violations)} violations; all of it in {keep}",
            ]
        sys.stdout.write("\n".join(says) + "\n")
        sys.stdout.flush()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
