"""Secrets and what is signed with them: tickets of attempts, sessions of people. See `protocol`."""
