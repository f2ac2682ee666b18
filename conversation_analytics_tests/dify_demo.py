"""`make demo-dify`: the demo, translated and labelled by workflows of a stand-in for Dify.

The stand-in is the contract server of the tests: it speaks Dify's published API over a real
connection, and its workflows know what the generator says instead of asking a model.
"""

from __future__ import annotations

import os
import sys

from conversation_analytics.cli.main import app
from conversation_analytics_tests.services.dify_contract import DifyContract
from conversation_analytics_tests.services.dify_server import start_dify
from conversation_analytics_tests.services.dify_workflows import categorizing_app, translating_app

_SECONDS = 0.05  # that a run takes


def main() -> None:
    """Serve the workflows, and run the demo with the arguments of this program."""
    contract = DifyContract()
    contract.apps |= {
        "app-translate": translating_app(seconds=_SECONDS),
        "app-categorize": categorizing_app(seconds=_SECONDS),
    }
    with start_dify(contract) as url:
        os.environ |= {
            "DIFY_BASE_URL": url,
            "DIFY_TRANSLATE_API_KEY": "app-translate",
            "DIFY_CATEGORIZE_API_KEY": "app-categorize",
        }
        app(["demo", *sys.argv[1:]])


if __name__ == "__main__":
    main()
