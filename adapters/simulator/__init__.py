"""A PBX that is simulated: for the demo, for the deterministic simulation, and for whoever wants to try a policy."""
