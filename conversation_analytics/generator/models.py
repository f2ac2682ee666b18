"""The chat models that answer: how fast, at what price, how often they fail, and since when."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from conversation_analytics.generator.draws import Random, lognormal, shares

MONEY_UNITS = 100_000_000
"""Parts of one currency unit in which costs are counted: eight decimals."""

CURRENCY_RATES = {"USD": 1, "THB": 35}
"""Units of each billing currency to one US dollar."""

ERRORS = (
    "Rate limit reached for requests, please retry after 20 s",
    "The server is overloaded or not ready yet",
    "context_length_exceeded: the prompt is longer than the model allows",
    "Request timed out after 60 s",
    "content_filter: the answer was stopped",
)


@dataclass(frozen=True, slots=True)
class ChatModel:
    """One chat model.

    Attributes:
        name: its id.
        provider: who serves it.
        prompt_tokens: length of the instructions sent with every question.
        input_price: price of a prompt token, in 1e-8 US dollars.
        output_price: price of a token of the answer, in 1e-8 US dollars.
        error_rate: share of answers that fail.
        wordiness: tokens of an answer to those its text needs: hidden reasoning, formatting.
        latencies: quantiles of the time to answer, in milliseconds.
        weights: share of conversations at the start and at the end of the period.
    """

    name: str
    provider: str
    prompt_tokens: int
    input_price: int
    output_price: int
    error_rate: float
    wordiness: float
    latencies: tuple[float, ...]
    weights: tuple[float, float]

    def cost(self, prompt: int, completion: int, currency: str) -> str:
        """The price of an answer, with eight decimals."""
        dollars = prompt * self.input_price + completion * self.output_price
        whole, part = divmod(dollars * CURRENCY_RATES[currency], MONEY_UNITS)
        return f"{whole}.{part:08d}"


def _seconds(median: float, sigma: float) -> tuple[float, ...]:
    return lognormal(median * 1000, sigma, low=180, high=58_000)


# name, provider, prompt tokens, prices, error rate, wordiness, seconds to answer, weights
MODELS = (
    ChatModel("gpt-4o-mini", "openai", 420, 15, 60, 0.010, 1.1, _seconds(1.4, 0.55), (45, 38)),
    ChatModel("gpt-4o", "openai", 640, 250, 1000, 0.012, 1.3, _seconds(2.6, 0.6), (25, 14)),
    ChatModel("claude-haiku", "anthropic", 510, 80, 400, 0.009, 1.4, _seconds(1.9, 0.5), (15, 20)),
    ChatModel("gemini-flash", "google", 380, 8, 30, 0.018, 1.0, _seconds(0.9, 0.7), (15, 16)),
    ChatModel("qwen2.5-72b", "tongyi", 460, 40, 120, 0.022, 1.2, _seconds(3.4, 0.85), (0, 12)),
)

_STEPS = 100
_SHARES = tuple(
    shares([m.weights[0] + (m.weights[1] - m.weights[0]) * n / _STEPS for m in MODELS])
    for n in range(_STEPS + 1)
)


def pick_model(random: Random, progress: float) -> ChatModel:
    """The model of a conversation that starts at `progress`, 0 to 1, of the period."""
    return MODELS[bisect_right(_SHARES[int(progress * _STEPS)], random())]
