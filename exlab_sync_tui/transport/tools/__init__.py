"""The system's own tools: how is a child found, started, tied to the engine and ended, and what do they read here?"""
