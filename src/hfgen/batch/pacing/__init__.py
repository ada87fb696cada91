"""When a row is asked: limits, cooldowns, how many at once, and what it costs."""
