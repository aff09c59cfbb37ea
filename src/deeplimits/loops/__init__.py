"""The compiled loops under networks and diffusions: they know no network and no limit.

One room for each kind of loop: rows of shaped networks (`rows`, `program_rows`, `program_pairs`, `tangent_rows`,
`gradients`), residual branches (`wide`, `narrow`, `fields`, `weights`, `tangent_kernel`), paths of diffusions
(`lanes`, `flow`, `correlation`, `norm`, `pairs`, `matrices`, `smooth`, `tangents`).

The walk through the times to record, `while done < records[place]`, stands once in each of them. One compiled function
that takes the step as an argument would be shorter, but numba keeps no such function on disk: every process would
compile it anew.
"""
