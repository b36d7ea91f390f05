"""Other people's function names over `cnnfast.functional`.

`cnnfast.compat.cs231n` has those of Stanford's course CS231n, assignment 2.
"""
