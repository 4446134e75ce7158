"""Berth: a CI control plane on Chalice, DynamoDB, Step Functions and LXC."""
