"""Who is told of what, while nobody looks at the console?"""
