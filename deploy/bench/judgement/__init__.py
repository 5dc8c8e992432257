"""``make bench-judgement``: what a bad version costs and how long a good one takes, under our ramp and under the rules that others use.

Everything is simulated, from seeds; the ramp and the judgement are the product's own code (:mod:`workflows.domain.adaptive`).

- :mod:`~deploy.bench.judgement.traffic` – a function behind an alias, and how CloudWatch tells of it: a point a minute, late, in two parts;
- :mod:`~deploy.bench.judgement.policies` – the rules compared: CodeDeploy's canary with an alarm, a Mann-Whitney judge, ours;
- :mod:`~deploy.bench.judgement.cases` – the versions they are shown;
- :mod:`~deploy.bench.judgement.compare` – many releases of each, and the table.

Never imported by the product.
"""
