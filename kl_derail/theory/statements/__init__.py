"""One module a statement, with what `kl_derail.theory.statements.base` describes."""
