"""Deep Limits beside what one would otherwise use, in one run on the same cores: `make bench`."""
