"""A deterministic simulation of the product's own code, from one seed. Never packaged for Lambda.

Method M2 of the queue protocol: the real services over the real queue run in one thread, every call
to the outside is a place where time passes, somebody else goes on, or something breaks.
"""
