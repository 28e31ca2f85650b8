# Reference values for Fine and Gray's regression: coefficients, errors (the estimated censoring
# weights included), limits and P values.
# R 4.2.2, cmprsk 2.2-11. Run in this folder: reads datasets/*.csv, writes fine_gray.json.
suppressMessages(library(cmprsk))
source("write.R")

read <- function(name) read.csv(file.path("datasets", paste0(name, ".csv")), na.strings = "")
fit <- function(data, columns, cause = 1) {
  x <- model.matrix(reformulate(columns), data)[, -1, drop = FALSE]
  run <- function(start) crr(data$time, data$event, x, failcode = cause, gtol = 1e-12, maxiter = 60, init = start)
  f <- run(rep(0, ncol(x)))
  # crr ends its steps once the likelihood stops rising in the last digit, which can leave a
  # score of 1e-6: it starts again from beside the maximum.
  for (again in 1:20) if (max(abs(f$score)) > 1e-9) f <- run(f$coef + 1e-3 / again)
  stopifnot(max(abs(f$score)) < 1e-9)
  error <- sqrt(diag(f$var))
  list(coefficient = plain(f$coef), standard_error = plain(error),
       p_value = plain(2 * pnorm(-abs(f$coef / error))),
       low = plain(exp(f$coef - qnorm(.975) * error)), high = plain(exp(f$coef + qnorm(.975) * error)))
}

mgus2 <- subset(read("mgus2"), !is.na(hgb) & !is.na(mspike))
pbc <- subset(read("pbc"), !is.na(arm))
# On day 0 crr weighs with the censoring of the day itself, not before it; a day later it does not.
transplant <- transform(subset(read("transplant"), !is.na(age)), time = time + 1)
# Relapse with death before it competing: two arms, few ties.
myeloid <- within(read("myeloid"), {
  event <- ifelse(!is.na(relapse), 1, 2 * death)
  time <- ifelse(!is.na(relapse), relapse, death_time)
})

write_json(list(
  R = "4.2.2", cmprsk = "2.2-11",
  mgus2 = fit(mgus2, c("age", "sex", "hgb", "mspike")),
  mgus2_death = fit(mgus2, c("age", "sex", "hgb", "mspike"), 2),
  pbc = fit(pbc, c("age", "bili", "albumin", "edema", "sex")),
  pbc_transplant = fit(pbc, c("age", "bili"), 2),
  transplant = fit(transplant, c("age", "sex", "blood")),
  transplant_death = fit(transplant, c("age", "blood"), 2),
  myeloid = fit(myeloid, c("arm", "sex"))), "fine_gray.json")
