"""May this run leave?"""
