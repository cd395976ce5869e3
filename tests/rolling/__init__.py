"""Servers that are restarted one after the other, behind load balancers, under mixed load."""
