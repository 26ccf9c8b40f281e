"""The deterministic simulation: the whole service core on a virtual clock, with faults, and an oracle that looks on."""
