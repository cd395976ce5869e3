"""What users install: the wheel, outside of the checkout."""
