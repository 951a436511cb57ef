"""What tests of every service share: databases, the local Amazon, callers, and both ends of Kafka. Never imported by
product code."""
