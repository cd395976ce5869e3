"""The servers with which forstcore is compared."""
