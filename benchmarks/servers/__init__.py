"""The servers forstcore is measured beside."""
