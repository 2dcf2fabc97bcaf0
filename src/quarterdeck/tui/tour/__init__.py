"""A walk through the console: what is seen on each view, and which key comes next."""
