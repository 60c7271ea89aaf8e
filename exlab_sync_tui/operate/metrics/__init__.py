"""Which figures does a monitoring system get?"""
