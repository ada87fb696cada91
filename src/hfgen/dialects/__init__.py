"""One module for each language that servers speak: `encode` and `decode`, two pure functions."""
