"""What callers, agents and colleagues hear: finding prompts, and making recordings fit for a PBX."""
