"""How does the engine start with the PC?"""
