"""Print the comparison as Markdown: ``python -m tests.bench.judgement [--releases 1000] [--seed 1] [--case TEXT] [--delay 1.0]``."""

from __future__ import annotations

import argparse

from tests.bench.judgement.cases import CASES, SHOWN_FINELY
from tests.bench.judgement.comparison import HEAD, releases, row
from tests.bench.judgement.policies import POLICIES, adaptive_fine
from tests.bench.judgement.traffic import Delay


def main() -> None:
    """Simulate, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.judgement", description=__doc__)
    parser.add_argument(
        "--releases", type=int, default=1000, help="of each case under each policy (1000)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", default="", help="only cases whose name has this in it")
    parser.add_argument("--policy", default="", help="only policies whose name begins so")
    parser.add_argument(
        "--delay", type=float, default=1.0, help="CloudWatch's delay, times so much"
    )
    given = parser.parse_args()
    usual = Delay()
    delay = Delay(
        *(tuple(given.delay * end for end in ends) for ends in (usual.first, usual.rest)),
        usual.share,
    )  # type: ignore[arg-type]
    for case in (case for case in CASES if given.case in case.name):
        print(f"\n**{case.name}**{' – bad' if case.bad else ''}\n\n{HEAD}")
        for name, policy in POLICIES.items():
            if name.startswith(given.policy) and (
                policy is not adaptive_fine or case in SHOWN_FINELY
            ):
                outcomes = releases(
                    case, policy, number=given.releases, seed=given.seed, delay=delay
                )
                print("|", " | ".join([name, *row(case, outcomes)]), "|", flush=True)


if __name__ == "__main__":
    main()
