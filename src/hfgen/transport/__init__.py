"""The network: sessions, server-sent events, retries."""
