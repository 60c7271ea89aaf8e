"""What does every transport need that goes through SSH? The account, the system's ``ssh``, the far side's own tools."""
