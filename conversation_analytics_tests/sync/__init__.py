"""Following a source: looks, sweeps, pending days."""
