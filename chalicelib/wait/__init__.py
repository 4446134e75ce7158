"""Waiting and retrying."""
