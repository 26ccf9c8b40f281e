"""The admin's and the auditor's side of the panel: what is in force, what it would do, and whether it was kept."""
