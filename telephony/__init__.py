"""The running service: engine, ports, settings, command line."""
