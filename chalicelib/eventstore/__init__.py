"""How facts are kept: one immutable item per commit, chained by hash (see `store`)."""
