"""The laws of the measures: check them, break them, and settle the common claims about KL and cross-entropy."""

from kullback.laws.checking import Verdict, check
from kullback.laws.claims import Claim, claims
from kullback.laws.counterexamples import Counterexample, counterexample
from kullback.laws.report import report

__all__ = ["Claim", "Counterexample", "Verdict", "check", "claims", "counterexample", "report"]
