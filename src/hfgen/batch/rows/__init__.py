"""What is to be asked: the rows of an input, and how each becomes a request."""
