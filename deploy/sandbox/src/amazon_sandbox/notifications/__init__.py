"""Notifications v1: destinations, subscriptions, and the queues and event buses that what happens is sent to."""
