"""An OpenAI-compatible gateway: any client that speaks that language streams through hfgen."""
