"""Catalog Items 2022-04-01 and Listings Restrictions: what Amazon knows of a product, and who may sell it."""
