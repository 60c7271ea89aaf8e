"""May the local copy go? The interlocks, and the hands that unlink file by file; this room never asks a destination."""
