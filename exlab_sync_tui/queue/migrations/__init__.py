"""How did the store's form grow? Numbered SQL files; a store has the form of ``PRAGMA user_version``."""
