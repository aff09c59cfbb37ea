"""The compiled loops under networks and diffusions: they know no network and no limit.

Rows of shaped networks: `rows`, `program_rows`, `program_pairs`, `tangent_rows`, `gradients`. Residual branches:
`branches`, `wide`, `narrow`, `fields`, `weights`, `tangent_kernel`. Paths of diffusions: `lanes`, `flow`,
`correlation`, `norm`, `pairs`, `matrices`, `smooth`, `tangents`. Beneath them all: `linear` and `elementwise`.

A kernel fills `out` with the sample of an address (`gaussian.Address`) and those after it. What it reads and what it
writes to come as named tuples, which numba takes apart at no cost.

The walk through the times to record, `while done < records[place]`, stands once in each of them. One compiled function
that takes the step as an argument would be shorter, but numba keeps no such function on disk: every process would
compile it anew.
"""
