"""Is every byte there? Compares what was sent with what the destination says it has."""
