"""Realistic conversation exports, made up from a seed: for demos, benchmarks and tests.

`generate` is the way in; `GeneratorOptions` says what to make, `GeneratorSummary` what was made.
Nothing here reads the clock or a source: the same options give the same bytes.
"""

from conversation_analytics.generator.generate import GeneratorSummary, Progress, generate
from conversation_analytics.generator.options import GeneratorOptions, Profile

__all__ = ["GeneratorOptions", "GeneratorSummary", "Profile", "Progress", "generate"]
