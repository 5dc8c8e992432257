"""What CloudWatch knows about a function: the state of alarms, and metrics.

Reading order:

- :mod:`~activities.cloudwatch.alarms`: read alarms, or watch them until one fires
- :mod:`~activities.cloudwatch.alarm_history`: which alarms went off while no look could see it
- :mod:`~activities.cloudwatch.batching`: concurrent requests for alarms share few calls
- :mod:`~activities.cloudwatch.metrics`: the metrics of two versions, minute by minute
- :mod:`~activities.cloudwatch.metric_queries`: the queries of one GetMetricData call
- :mod:`~activities.cloudwatch.metric_data`: sends the queries and parses the response
- :mod:`~activities.cloudwatch.metric_digest`: whether a response holds anything new
"""
