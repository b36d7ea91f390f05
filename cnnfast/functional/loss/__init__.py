"""Losses, each returning itself and its gradient, as the course's do."""
