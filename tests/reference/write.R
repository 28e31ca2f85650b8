# Writes an R list as JSON with 17 significant digits; sourced by the programs beside it.
json <- function(x) {
  if (is.null(x)) return("null")
  if (is.list(x) || length(x) != 1 || inherits(x, "AsIs")) {
    parts <- vapply(seq_along(x), function(i) json(x[[i]]), "")
    if (is.null(names(x))) return(paste0("[", paste(parts, collapse = ", "), "]"))
    return(paste0("{", paste0('"', names(x), '": ', parts, collapse = ",\n"), "}"))
  }
  if (is.character(x)) return(paste0('"', x, '"'))
  if (is.factor(x)) return(paste0('"', as.character(x), '"'))
  if (is.logical(x) && !is.na(x)) return(if (x) "true" else "false")
  if (is.na(x)) return("null")
  if (is.infinite(x)) return(if (x > 0) "1e999" else "-1e999")
  sprintf("%.17g", x)
}
plain <- function(x) I(unname(as.vector(x)))
write_json <- function(x, file) writeLines(json(x), file)
