"""Who may log in: accounts, roles, sessions, single sign-on."""
