"""Tables of what was answered."""
