"""The API of OpenAI from its server's side: requests read, answers worded. The gateway and batches share it."""
