"""What CloudWatch says of a function: its alarms, and what it measured.

Reading order:

- :mod:`~activities.cloudwatch.alarms`: read alarms now, and watch them until one goes off
- :mod:`~activities.cloudwatch.batching`: many readers of alarms share few calls
- :mod:`~activities.cloudwatch.metrics`: what was measured of two versions, minute by minute
- :mod:`~activities.cloudwatch.metric_queries`: the queries of one GetMetricData call
- :mod:`~activities.cloudwatch.metric_data`: sends them and reads the answer
- :mod:`~activities.cloudwatch.metric_digest`: whether an answer holds anything new
"""
