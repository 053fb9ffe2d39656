"""Kafka Connect with Debezium: connector configurations, their registration and their state."""
