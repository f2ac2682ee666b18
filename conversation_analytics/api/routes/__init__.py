"""Routes, thin: parameters in, what the readers find out."""
