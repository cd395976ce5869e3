"""The targets: in each module, `check` raises an error if an input is a finding."""
