"""How does a run get onto a NAS over one SSH account, and how is it proved there?"""
