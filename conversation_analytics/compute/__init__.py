"""Who computes, and with what. Nothing here knows what is computed."""
