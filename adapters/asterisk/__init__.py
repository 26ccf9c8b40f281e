"""Asterisk 22 and later, over AMI and ARI: thin own clients, each a pure codec and an asyncio shell."""
