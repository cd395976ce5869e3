"""The compiled parts of the core: reading JSON, filters, rejected lines."""
