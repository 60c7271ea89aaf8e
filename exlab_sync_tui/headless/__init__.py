"""What happens, as text or JSON lines, where there is no console."""
