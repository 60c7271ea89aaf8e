"""What is written down beside the data, in the ``.exlab-wizard`` folder?"""
