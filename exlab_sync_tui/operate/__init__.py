"""What do people and machines want to know about the engine? Reads the store and the folders, and changes nothing."""
