"""The networks that the zoo is compared with are no tests, and want torch."""

collect_ignore = ["torch_networks.py"]
