"""Whole networks: inference and steps of training, against the libraries that do the same.

table.py        the networks of shapes.json
competitors.py  cnnfast and the libraries, each running a network with the same weights
contests.py     one image, a batch, a step of training: who is faster
cold_start.py   from the start of a process to its first result
memory.py       the peak memory of a training step
linearity.py    time against the number of images, and of pixels
learning.py     networks that learn digits, beside PyTorch
torch_networks.py  the networks in PyTorch
report.py       the aims; figures, chart and section of the page
"""
