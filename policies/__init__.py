"""The policy core: what is allowed, and what follows. Pure: no I/O, clock or randomness."""
