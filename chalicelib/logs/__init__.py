"""What attempts printed, how their steps went, and their results. See `protocol`."""
