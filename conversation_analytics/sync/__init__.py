"""Following the source: what changed since the last look, which days are behind, what agrees."""
