"""Stream text and images from any Hugging Face model through one async generator."""

__version__ = "0.1.0"
