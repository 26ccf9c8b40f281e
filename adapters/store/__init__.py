"""The journal: what concerns people, committed before anything is done. Also durable timers and the audit chain."""
