"""IAM policies and roles for a worker, generated from the calls that its code makes.

- :mod:`~deploy.iam.call_graph`: which functions of the product are reached from which
- :mod:`~deploy.iam.aws_calls`: the calls of AWS that they make
- :mod:`~deploy.iam.tiers`: the tiers: plan, release, operations, upload
- :mod:`~deploy.iam.resources`: what a policy is about, as the operator names it, and its ARNs
- :mod:`~deploy.iam.policy`: the policy of a tier
- :mod:`~deploy.iam.trust`: who may take a role, by where the worker runs
- :mod:`~deploy.iam.cloudformation`, :mod:`~deploy.iam.terraform`: roles and policies in these
- :mod:`~deploy.iam.arguments`: the command line, ``python -m deploy.iam --help``

How AWS authorizes a call is in :mod:`activities.permission_needs`, which ``releases doctor`` reads.
"""
