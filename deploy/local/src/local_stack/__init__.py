"""Starts everything on one machine as supervised children: PostgreSQL, a Kafka broker, the local Amazon, services."""
