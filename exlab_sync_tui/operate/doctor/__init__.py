"""What is wrong with this set-up, and which command mends it? Small checks, one file per family."""
