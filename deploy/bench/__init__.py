"""``make bench``: what a release costs, against what it would cost in other ways, measured side by side on this machine.

Reading order:

- :mod:`deploy.bench.pipeline` – the one pipeline that every contender carries out, and its AWS calls;
- :mod:`deploy.bench.standin` – the AWS Lambda that all of them talk to, fast and in a process of its own;
- the contenders: :mod:`~deploy.bench.ours`, :mod:`~deploy.bench.noop` (the ceiling), :mod:`~deploy.bench.bare`, :mod:`~deploy.bench.peer`
  (DBOS), :mod:`~deploy.bench.machine` (Step Functions);
- the sections: :mod:`~deploy.bench.throughput`, :mod:`~deploy.bench.anatomy`, :mod:`~deploy.bench.verdict`, :mod:`~deploy.bench.startup`;
- :mod:`deploy.bench.report` – the tables.

Never imported by the product.
"""
