"""Tests of what is said about conversations."""
