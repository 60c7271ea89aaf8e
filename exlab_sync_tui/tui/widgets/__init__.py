"""Which parts does a screen have? One small file each, with its own style sheet beside it."""
