"""The Python API: the route for host programs. All that it depends on is an argument; it prints nothing and takes no signal."""
