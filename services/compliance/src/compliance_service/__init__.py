"""Entrepot compliance: sources, what they have, what they attested, and which of them ships an order."""
