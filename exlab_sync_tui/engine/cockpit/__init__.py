"""How is an engine watched and steered, be it in this process or in another?"""
