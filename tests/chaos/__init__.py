"""Pipelines between real brokers, all of which are killed, stopped and cut off at random."""
