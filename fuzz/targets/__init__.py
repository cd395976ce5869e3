"""The targets: a module for each, whose `check` raises an error for an input that is a finding."""
