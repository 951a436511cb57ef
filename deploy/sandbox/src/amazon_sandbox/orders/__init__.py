"""Orders: the order book of a seller, Orders 2026-01-01 reads, v0 confirmShipment and the people who never lived."""
