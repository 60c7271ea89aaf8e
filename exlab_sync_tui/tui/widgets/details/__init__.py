"""What is shown of one run? A tab each."""
