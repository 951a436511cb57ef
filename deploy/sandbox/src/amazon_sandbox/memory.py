"""Spares the garbage collector a big world: a hundred thousand listings are no garbage, and looking is slow."""

import gc


def keep() -> None:
    """What there is now stays for long."""
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """What was kept may go."""
    gc.unfreeze()
