"""What does each command do? The registry names the actions, these carry them out; every one says what became of it."""
