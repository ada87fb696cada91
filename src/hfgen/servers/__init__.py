"""Which server is this, and what can it do."""
