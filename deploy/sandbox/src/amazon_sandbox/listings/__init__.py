"""Listings Items 2021-08-01: attributes, patches, checks, the catalogue of a seller and the five operations."""
