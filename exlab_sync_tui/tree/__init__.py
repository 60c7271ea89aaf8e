"""What is in this folder, and what is known about it?"""
