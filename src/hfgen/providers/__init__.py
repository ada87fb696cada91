"""The waist, and the one way through it."""
