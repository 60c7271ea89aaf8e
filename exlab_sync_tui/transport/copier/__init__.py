"""What does a copying child process do?"""
