"""The panel: screens for agents, the duty desk and admins, in a browser (docs/adr/0006-panel.md)."""
