"""Exact prompts: what a model was trained on, byte for byte."""
