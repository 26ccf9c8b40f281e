"""The HTTP side: keys, acknowledgements, prompts for the PBX, health and metrics."""
