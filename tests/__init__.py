"""The tests of forstcore."""
