"""Which runs are there, and which of them are finished?"""
