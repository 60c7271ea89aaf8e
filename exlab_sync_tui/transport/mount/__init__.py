"""How does a run get onto a share that the system has mounted?"""
