"""Quay: which ship lies at which berth, and when."""
