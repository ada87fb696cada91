"""A job on many machines: who holds which rows, and what each may take."""
