"""What people see: pure pictures of the state (docs/adr/0006-panel.md)."""
