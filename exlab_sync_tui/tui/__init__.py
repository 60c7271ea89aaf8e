"""How does an operator see and steer all of it? The console; the only room that knows Textual."""
