"""Walks a run through the rooms: the only place where the stages meet."""
