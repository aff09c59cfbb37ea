"""The programs one would otherwise use, as their users would write them, each at its best settings."""
