# Reference values for propensity scores, matching, weights, balance and weighted survival.
# R 4.2.2, survival 3.5-3, MatchIt 4.5.1. Run in this folder: writes balance.json.
#
# MatchIt 4.5.1 (as packaged by Debian) lets a pair pass where the whole part of its distance is
# within the caliper: under a caliper of 0.2 any two less than 1 apart. Logits are given to it times
# a million, which leaves nearest neighbours, and a caliper in standard deviations, as they are.
# `unscaled` is how many it matches without that.
suppressMessages({library(survival); library(MatchIt)})

source("write.R")
data <- function(name) read.csv(file.path("datasets", paste0(name, ".csv")))
text <- function(x) factor(x, sort(unique(x), method = "radix")) # Python's order of letters

rotterdam <- data("rotterdam")
rotterdam$size <- text(rotterdam$size)
rotterdam$time <- rotterdam$dtime
rotterdam$event <- rotterdam$death
gbsg <- data("gbsg")
gbsg$grade <- text(as.character(gbsg$grade))
colon <- subset(data("colon"), arm %in% c("Obs", "Lev+5FU"))
colon$treated <- as.integer(colon$arm == "Lev+5FU")
colon$extent <- text(as.character(colon$extent))
pbc <- subset(data("pbc"), !is.na(arm))
pbc$treated <- as.integer(pbc$arm == 1)
pbc$sex <- text(pbc$sex)
pbc$event <- as.integer(pbc$event > 0) # transplanted or dead
clinical <- c("age", "meno", "size", "grade", "nodes", "pgr", "er")
cases <- list(
  rotterdam_hormon = list(rotterdam, "hormon", clinical),
  rotterdam_chemo = list(rotterdam, "chemo", clinical),
  gbsg = list(gbsg, "hormon", clinical),
  colon = list(colon, "treated", c("sex", "age", "obstruct", "perfor", "adhere", "nodes", "differ", "extent")),
  pbc = list(pbc, "treated", c("age", "sex", "edema", "bili", "albumin", "protime", "stage")))

# Each number, and each level as 0 or 1.
expanded <- function(d, covariates) do.call(cbind, lapply(covariates, function(name) {
  x <- d[[name]]
  if (is.factor(x)) sapply(levels(x), function(level) as.numeric(x == level)) else matrix(x, ncol = 1)
}))
is_number <- function(d, covariates) unlist(lapply(covariates, function(name) {
  if (is.factor(d[[name]])) rep(FALSE, nlevels(d[[name]])) else TRUE
}))
variance <- function(x, w, number) {
  if (number) cov.wt(matrix(x), w / sum(w))$cov[1, 1] else weighted.mean(x, w) * (1 - weighted.mean(x, w))
}
# Differences over the root of the mean variance before weighting (Stuart 2010): by the book.
balance <- function(x, number, t, w) {
  at <- function(j, group, w) {
    k <- t == group & w > 0
    c(weighted.mean(x[k, j], w[k]), variance(x[k, j], w[k], number[j]))
  }
  rows <- t(sapply(seq_len(ncol(x)), function(j) {
    a <- at(j, 1, w); b <- at(j, 0, w)
    spread <- sqrt((at(j, 1, 0 * w + 1)[2] + at(j, 0, 0 * w + 1)[2]) / 2)
    c(a[1], b[1], (a[1] - b[1]) / spread, if (number[j]) a[2] / b[2] else NA)
  }))
  list(treated = plain(rows[, 1]), untreated = plain(rows[, 2]), smd = plain(rows[, 3]), variance_ratio = plain(rows[, 4]))
}
cox <- function(d) {
  f <- coxph(Surv(time, event) ~ t, d, weights = w, cluster = pair, ties = "efron", robust = TRUE,
             control = coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 50))
  s <- summary(f)
  list(coefficient = unname(coef(f)), naive_error = sqrt(f$naive.var[1, 1]), robust_error = sqrt(f$var[1, 1]),
       p_value = s$coefficients[1, "Pr(>|z|)"], robust_score = unname(s$robscore["test"]),
       robust_score_p = unname(s$robscore["pvalue"]))
}
curve <- function(d) {
  f <- survfit(Surv(time, event) ~ t, d, weights = w, robust = TRUE, conf.type = "log-log")
  s <- summary(f, times = c(0, 180, 365, 730, 1826, 2500))
  list(group = I(as.character(s$strata)), time = plain(s$time), n_risk = plain(s$n.risk), survival = plain(s$surv),
       low = plain(s$lower), high = plain(s$upper))
}
weigh <- function(e, t, estimand) {
  h <- switch(estimand, ATE = 1 + 0 * e, ATT = e, overlap = e * (1 - e))
  h / ifelse(t == 1, e, 1 - e) * ifelse(t == 1, mean(t), 1 - mean(t)) / mean(h)
}
weighted <- function(d, e, x, number, estimand) {
  d$w <- weigh(e, d$t, estimand)
  d$pair <- seq_len(nrow(d))
  total <- tapply(d$w, d$t, sum)
  cut <- quantile(d$w, c(0.05, 0.95))
  list(total = plain(total), effective_n = plain(total^2 / tapply(d$w^2, d$t, sum)), smallest = plain(tapply(d$w, d$t, min)),
       largest = plain(tapply(d$w, d$t, max)), truncated_total = plain(tapply(pmin(pmax(d$w, cut[1]), cut[2]), d$t, sum)),
       balance = balance(x, number, d$t, d$w), cox = cox(d),
       survival = curve(d))
}
matched <- function(d, lp, x, number, ratio) {
  d$lp <- 1e6 * lp
  m <- suppressWarnings(matchit(t ~ age, d, method = "nearest", distance = d$lp, caliper = 0.2, ratio = ratio))
  mm <- matrix(match(m$match.matrix, rownames(d)), ncol = ratio)
  means <- summary(m, standardize = FALSE, un = FALSE)
  d$w <- m$weights
  d$pair <- m$subclass
  with <- d[d$w > 0, ]
  list(caliper = m$caliper[[1]] / 1e6, matches = lapply(seq_len(ratio), function(k) plain(mm[, k])),
       effective_n = plain(means$nn["Matched (ESS)", ]), weight_range = plain(range(with$w)),
       balance = balance(x, number, d$t, d$w), cox = cox(with))
}
case <- function(name) {
  d <- cases[[name]][[1]]; treated <- cases[[name]][[2]]; covariates <- cases[[name]][[3]]
  d$t <- d[[treated]]
  n_all <- nrow(d)
  d <- d[complete.cases(d[covariates]), ]
  f <- glm(reformulate(covariates, "t"), binomial, d, control = glm.control(epsilon = 1e-15, maxit = 50))
  lp <- unname(predict(f)); e <- unname(fitted(f)); x <- expanded(d, covariates); number <- is_number(d, covariates)
  unscaled <- suppressWarnings(matchit(t ~ age, d, method = "nearest", distance = lp, caliper = 0.2))
  list(n_all = n_all, n = nrow(d), n_treated = sum(d$t), coefficient = plain(coef(f)),
       standard_error = plain(sqrt(diag(vcov(f)))), linear = plain(quantile(lp)), linear_sd = sd(lp),
       score = plain(quantile(e)), before = balance(x, number, d$t, 0 * d$t + 1),
       smd_matchit = plain(summary(matchit(reformulate(covariates, "t"), d, method = NULL, distance = lp, estimand = "ATE"))$sum.all[-1, 3]),
       matched = matched(d, lp, x, number, 1), matched_2 = if (name == "rotterdam_hormon") matched(d, lp, x, number, 2),
       unscaled = sum(!is.na(unscaled$match.matrix)),
       weighted = sapply(c("ATE", "ATT", "overlap"), function(a) weighted(d, e, x, number, a), simplify = FALSE))
}

lung <- read.csv("lung.csv")
lung$w <- lung$age / 60
whole <- function(s) list(time = plain(s$time), n_risk = plain(s$n.risk), n_event = plain(s$n.event),
                          survival = plain(s$surv), low = plain(s$lower), high = plain(s$upper))
curves <- list(
  ties = whole(summary(survfit(Surv(month, event) ~ sex, lung, weights = w, robust = TRUE, conf.type = "log-log"), censored = TRUE)),
  entry = whole(summary(survfit(Surv(entry, time, event) ~ sex, lung, weights = w, id = seq_len(nrow(lung)), robust = TRUE,
                                conf.type = "log-log"), censored = TRUE)),
  # What a program says that takes weights for counts, here ten times as many.
  as_counts = whole(summary(survfit(Surv(month, event) ~ sex, lung, weights = 10 * w, robust = FALSE, conf.type = "log-log"),
                            times = 12)))
write_json(list(cases = sapply(names(cases), case, simplify = FALSE), curves = curves), "balance.json")
