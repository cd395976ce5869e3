"""A server under mixed load: every stream must be correct, and every resource be released."""
