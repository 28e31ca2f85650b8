"""What stands on the screen as computations that anybody can repeat, and the archive that repeats them."""

from pages.elements.exports.proof.bundle import bundle
from pages.elements.exports.proof.curves import (
    ANALYSES,
    follow_up_proofs,
    survival_proofs,
    transplant_proofs,
    transplanted_proofs,
)
from pages.elements.exports.proof.parts import not_recomputed
from pages.elements.exports.proof.regressions import balance_proofs, cox_proofs, subgroup_proofs
from pages.elements.exports.proof.tables import (
    concordance_proofs,
    negativity_proofs,
    table_one_proofs,
)

__all__ = [
    "ANALYSES",
    "balance_proofs",
    "bundle",
    "concordance_proofs",
    "cox_proofs",
    "follow_up_proofs",
    "negativity_proofs",
    "not_recomputed",
    "subgroup_proofs",
    "survival_proofs",
    "table_one_proofs",
    "transplant_proofs",
    "transplanted_proofs",
]
