"""The last step of the cascade: an LLM, as a workflow of Dify, for what stays below threshold.

    choices.py      the labels that may be answered, with what belongs to them
    texts.py        conversations and messages as an LLM reads them
    contract.py     what the workflow is given, and what it must give back
    verdicts.py     what is read from that, whatever it is
    step.py         which rows of a day are asked about, and what becomes of them
    figures.py      how much was asked, answered and agreed with

What a text says can move its own answer among the labels there are, and nothing else.
"""
