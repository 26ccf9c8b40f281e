"""The lab: a real Asterisk, phones that listen, a real broker. Loopback only."""
