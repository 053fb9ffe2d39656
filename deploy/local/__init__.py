"""The real stack on one machine: Kafka, Connect with Debezium, PostgreSQL and the workers.

It needs neither Docker nor a system Java nor root: everything comes from packages.
`stack.LocalStack` is the way in; `supervisor` is the process that keeps it all running.
"""
