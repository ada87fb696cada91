"""What the Hugging Face Hub knows: records of models, lists of models."""
