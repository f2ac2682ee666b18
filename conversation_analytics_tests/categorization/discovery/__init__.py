"""Tests of the topics found among what fits none."""
