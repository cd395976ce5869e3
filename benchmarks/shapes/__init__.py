"""Records as services write them: several nested shapes, with varying values and lengths."""
