"""Translations of messages and titles by a workflow of Dify.

    selection.py   which texts of a day are translated, and into what
    contract.py    what the workflow is given, and what it gives back
    translator.py  what is translated under the settings, and by whom
    days.py        a day's translations; which days are to be translated again
    rows.py        translations as rows of the lake
    quality.py     whether a translation has the labels of its original
    summary.py     what a day's translations come to, for people

`docs/translation.md` describes the workflow for those who build one.
"""
