"""The broker: clients, topic administration and readiness."""
