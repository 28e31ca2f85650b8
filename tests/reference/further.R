# Reference values for the analyses that the three worked cases do not cover.
# R 4.2.2, survival 3.5-3. Run in this folder: writes lung.csv and further.json.
library(survival)

source("write.R")

d <- lung[!is.na(lung$ph.ecog) & lung$ph.ecog < 3, ]
d <- data.frame(time = d$time, event = d$status - 1, sex = d$sex, ecog = d$ph.ecog, age = d$age,
                weight_loss = d$wt.loss)
d$month <- ceiling(d$time / 30)                         # many ties
d$entry <- floor(d$time * ((seq_len(nrow(d)) * 7) %% 10) / 20) # left truncation
d$band <- as.integer(cut(d$age, c(0, 55, 62, 68, 100)))
write.csv(d, "lung.csv", row.names = FALSE)

cox <- function(data, formula) {
  environment(formula) <- environment() # where cox.zph looks for the data again
  f <- coxph(formula, data, ties = "efron", control = coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 50))
  s <- summary(f)$coefficients
  z <- cox.zph(f)$table
  list(coefficient = plain(s[, 1]), standard_error = plain(s[, 3]), p_value = plain(s[, 5]),
       low = plain(summary(f)$conf.int[, 3]), high = plain(summary(f)$conf.int[, 4]),
       proportional_hazards_p = unname(z["GLOBAL", "p"]))
}
aml <- read.csv("01_aml/data.csv")
veteran <- read.csv("02_veteran/data.csv")
hazard <- list(
  aml = cox(aml, Surv(time, status) ~ grp),
  veteran = cox(veteran, Surv(time, status) ~ factor(celltype)),
  veteran_squamous = cox(veteran, Surv(time, status) ~ relevel(factor(celltype), "squamous")),
  lung_ecog = cox(d, Surv(time, event) ~ factor(ecog)),
  lung_ties = cox(d, Surv(month, event) ~ factor(ecog)),
  lung_ties_sex = cox(d, Surv(month, event) ~ factor(sex)),
  lung_entry = cox(d, Surv(entry, time, event) ~ factor(ecog)))

by_hand <- function(entry, time, event, group) {
  levels <- sort(unique(group))
  u <- 0; v <- 0
  for (t in sort(unique(time[event == 1]))) {
    risk <- entry < t & t <= time
    n <- sum(risk); e <- sum(time == t & event == 1)
    share <- sapply(levels, function(g) sum(risk & group == g)) / n
    u <- u + sapply(levels, function(g) sum(time == t & event == 1 & group == g)) - e * share
    if (n > 1) v <- v + e * (n - e) / (n - 1) * (diag(share) - share %o% share)
  }
  drop(u[-1] %*% solve(v[-1, -1]) %*% u[-1])
}
truncated <- survfit(Surv(entry, time, event) ~ 1, d, conf.type = "log-log")
q <- quantile(truncated, c(.25, .5, .75))
truncation <- list(
  time = plain(truncated$time), n_risk = plain(truncated$n.risk), n_event = plain(truncated$n.event),
  survival = plain(truncated$surv), low = plain(truncated$lower), high = plain(truncated$upper),
  quantiles = plain(q$quantile), quantiles_low = plain(q$lower), quantiles_high = plain(q$upper),
  # survdiff takes no entry times: the textbook sums over the distinct times instead.
  log_rank = by_hand(d$entry, d$month * 30, d$event, d$ecog),
  restricted_mean = unname(summary(truncated, rmean = 365)$table["rmean"]),
  restricted_mean_se = unname(summary(truncated, rmean = 365)$table["se(rmean)"]))

diff <- function(f, rho = 0) {
  s <- survdiff(f, d, rho = rho)
  total <- function(x) plain(if (is.matrix(x)) rowSums(x) else x)
  list(statistic = s$chisq, observed = total(s$obs), expected = total(s$exp))
}
tests <- list(
  ecog = diff(Surv(month, event) ~ ecog),
  ecog_by_sex = diff(Surv(month, event) ~ ecog + strata(sex)),
  peto_ecog_by_sex = diff(Surv(month, event) ~ ecog + strata(sex), 1),
  peto_ecog = diff(Surv(month, event) ~ ecog, 1))

reverse <- summary(survfit(Surv(month, event == 0) ~ sex, d, conf.type = "log-log"))$table
means <- summary(survfit(Surv(time, event) ~ sex, d), rmean = 500)$table
follow_up <- list(median = plain(reverse[, "median"]), low = plain(reverse[, "0.95LCL"]),
                  high = plain(reverse[, "0.95UCL"]))
restricted <- list(mean = plain(means[, "rmean"]), standard_error = plain(means[, "se(rmean)"]))

# Conditional odds ratio and limits, solved to full precision.
conditional <- function(m) {
  n1 <- sum(m[, 1]); n2 <- sum(m[, 2]); k <- sum(m[1, ]); x <- m[1, 1]
  lo <- max(0, k - n2); hi <- min(k, n1); s <- lo:hi; ld <- dhyper(s, n1, n2, k, log = TRUE)
  dens <- function(lor) { p <- ld + lor * s; p <- exp(p - max(p)); p / sum(p) }
  root <- function(f) exp(uniroot(f, c(-40, 40), tol = 1e-13)$root)
  list(odds_ratio = if (x == lo) 0 else if (x == hi) Inf else
         root(function(l) sum(s * dens(l)) - x),
       low = if (x == lo) 0 else root(function(l) sum(dens(l)[s >= x]) - 0.025),
       high = if (x == hi) Inf else root(function(l) sum(dens(l)[s <= x]) - 0.025))
}
tables <- list(
  rbind(c(3, 1), c(1, 3)), rbind(c(12, 5), c(7, 14)), rbind(c(0, 8), c(6, 5)),
  rbind(c(9, 0), c(4, 6)), rbind(c(9, 25), c(16, 11)), rbind(c(40, 3), c(35, 2)),
  rbind(c(20, 15, 18), c(10, 25, 20), c(17, 18, 20)),
  rbind(c(17, 18, 33), c(10, 22, 26), c(13, 10, 11)),
  rbind(c(30, 10), c(25, 15), c(20, 20), c(18, 25)),
  rbind(c(3, 0, 2), c(1, 4, 4)), rbind(c(2, 1, 0, 3), c(0, 5, 1, 1), c(4, 0, 2, 2)),
  rbind(c(5, 9, 1, 4, 2, 7, 3), c(6, 2, 8, 3, 5, 1, 9)),
  rbind(c(8, 0, 3), c(5, 6, 2), c(3, 7, 4), c(4, 1, 9), c(6, 2, 5)))
fisher <- lapply(tables, function(m) {
  base <- list(table = lapply(seq_len(nrow(m)), function(i) plain(m[i, ])),
               p_value = fisher.test(m, workspace = 2e8)$p.value)
  if (all(dim(m) == 2)) c(base, conditional(m)) else base
})

two <- function(y) wilcox.test(d[[y]] ~ d$sex, exact = FALSE, correct = TRUE)$p.value
number <- function(y, g) {
  v <- tapply(d[[y]], g, var, na.rm = TRUE); m <- tapply(d[[y]], g, mean, na.rm = TRUE)
  p <- combn(length(m), 2)
  max(apply(p, 2, function(i) abs(diff.default(m[i])) / sqrt(mean(v[i]))))
}
category <- function(y, g) {
  t <- prop.table(table(y, g), 2); p <- combn(ncol(t), 2)
  max(apply(p, 2, function(i) {
    a <- t[-1, i[1]]; b <- t[-1, i[2]]
    s <- (diag(a, length(a)) - a %o% a + diag(b, length(b)) - b %o% b) / 2
    sqrt(drop((a - b) %*% solve(s) %*% (a - b)))
  }))
}
table_one <- list(
  wilcoxon = list(age = two("age"), weight_loss = two("weight_loss")),
  kruskal = list(age = kruskal.test(d$age, d$ecog)$p.value,
                 weight_loss = kruskal.test(d$weight_loss, d$ecog)$p.value),
  fisher = list(ecog_by_sex = fisher.test(table(d$sex, d$ecog))$p.value,
                band_by_sex = fisher.test(table(d$sex, d$band))$p.value),
  smd = list(age_by_sex = number("age", d$sex), age_by_ecog = number("age", d$ecog),
             ecog_by_sex = category(d$ecog, d$sex), band_by_ecog = category(d$band, d$ecog)),
  quantiles = list(age = plain(quantile(d$age, type = 7)),
                   weight_loss = plain(quantile(d$weight_loss, type = 7, na.rm = TRUE))),
  weight_loss_missing = sum(is.na(d$weight_loss)))

counts <- list(c(0, 10), c(10, 10), c(9, 25), c(1, 3), c(37, 160), c(1, 1))
proportions <- lapply(counts, function(x) {
  e <- binom.test(x[1], x[2])$conf.int
  e90 <- binom.test(x[1], x[2], conf.level = 0.9)$conf.int
  w <- suppressWarnings(prop.test(x[1], x[2], correct = FALSE))$conf.int
  list(count = x[1], total = x[2], exact = plain(e), exact_90 = plain(e90), wilson = plain(w))
})

write_json(list(
  R = "4.2.2", survival = "3.5-3", hazard = hazard, truncation = truncation, tests = tests,
  follow_up = follow_up, restricted_mean = restricted, fisher = fisher, table_one = table_one,
  proportions = proportions), "further.json")
