"""Random functions of records, compared with what they are compiled to.

`python -m tests.compiled.generated --help` explores for as long as you like.
"""
