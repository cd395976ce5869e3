"""An audit of the whole: every result once and in order, whatever happens to whom."""
