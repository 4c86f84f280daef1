"""Colours that views and figures share."""

from __future__ import annotations

# of Okabe and Ito, then Tol: distinct for all kinds of colour vision; js/src/threads.js has the same
THREADS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#aa4499", "#999933")
