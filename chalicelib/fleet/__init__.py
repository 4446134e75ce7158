"""Hosts: making containers, starting supervisors, asking what went wrong. See `protocol`."""
