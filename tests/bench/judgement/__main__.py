"""``make bench-judgement``: simulated releases under our ramp and other rules.

It measures how many requests a bad version harms, and how long a good one takes. Everything is
simulated, from seeds. The ramp and the assessment are the product's own code
(:mod:`workflows.domain.adaptive`). The product never imports this package. In reading order:

    traffic      a function behind an alias, and when CloudWatch returns its counts
    policies     the rules: CodeDeploy's canary with an alarm, a Mann-Whitney test, ours
    cases        the versions that they are applied to
    comparison   many releases of each, and the table

``python -m tests.bench.judgement [--releases 1000] [--seed 1] [--case TEXT] [--delay 1.0]`` prints
the comparison as Markdown.
"""

from __future__ import annotations

import argparse

from tests.bench.judgement.cases import CASES, CASES_OF_FINE_MARGIN
from tests.bench.judgement.comparison import HEAD, make_row, simulate_releases
from tests.bench.judgement.policies import POLICIES, make_adaptive_fine
from tests.bench.judgement.traffic import Delay


def main() -> None:
    """Simulate the releases and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.judgement", description="Simulated releases."
    )
    parser.add_argument(
        "--releases",
        type=int,
        default=1000,
        help="number of releases of each case under each policy (default: 1000)",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--policy", default="", help="only policies whose name starts with this")
    parser.add_argument("--delay", type=float, default=1.0, help="factor of CloudWatch's delay")
    arguments = parser.parse_args()
    usual = Delay()
    first, rest = (
        (low * arguments.delay, high * arguments.delay) for low, high in (usual.first, usual.rest)
    )
    delay = Delay(first, rest, usual.share)
    for case in (case for case in CASES if arguments.case in case.name):
        print(f"\n**{case.name}**{' – bad' if case.is_bad else ''}\n\n{HEAD}")
        for name, policy in POLICIES.items():
            if name.startswith(arguments.policy) and (
                policy is not make_adaptive_fine or case in CASES_OF_FINE_MARGIN
            ):
                outcomes = simulate_releases(
                    case, policy, number=arguments.releases, seed=arguments.seed, delay=delay
                )
                print("|", " | ".join([name, *make_row(case, outcomes)]), "|", flush=True)


if __name__ == "__main__":
    main()
