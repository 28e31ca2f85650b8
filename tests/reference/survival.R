# Reference values for curves, milestones, quantiles, restricted means, follow-up and log-rank tests.
# R 4.2.2, survival 3.5-3. Run in this folder: reads datasets/*.csv, writes survival.json.
library(survival)

source("write.R")

read <- function(name) read.csv(file.path("datasets", paste0(name, ".csv")))
# name, data, entry ("" for none), time, event, group, stratum, milestones, tau.
bladder <- transform(read("bladder"), event = as.integer(status == 1))
kidney <- transform(read("kidney"), band = as.integer(age > 45))
heart <- transform(read("heart"), band = as.integer(age > 0))
rats <- read("rats")
sets <- list(
  ovarian = list(read("ovarian"), "", "time", "event", "arm", "residual", c(0, 156, 365, 500, 744, 1300), 700),
  kidney = list(kidney, "", "time", "event", "sex", "band", c(1, 8, 30, 120, 402, 500, 600), 400),
  bladder = list(bladder, "", "stop", "event", "treatment", "number", c(0, 3, 12, 24, 48, 64), 50),
  colon = list(read("colon"), "", "time", "event", "arm", "differ", c(100, 365, 730, 1826, 3000, 3329), 2500),
  rotterdam = list(read("rotterdam"), "", "rtime", "recur", "grade", "chemo", c(365, 1826, 3652, 6500), 3652),
  gbsg = list(read("gbsg"), "", "time", "event", "grade", "hormon", c(72, 365, 1095, 1826, 2400, 2659), 1826),
  stanford = list(read("stanford"), "", "time", "event", "transplant", "surgery", c(1, 30, 90, 365, 1400, 1799), 1000),
  rats = list(rats, "", "time", "event", "drug", "sex", c(30, 60, 90, 104), 104),
  retinopathy = list(read("retinopathy"), "", "futime", "status", "treated", "type", c(1, 12, 36, 60, 74.97), 60),
  cgd = list(read("cgd"), "tstart", "tstop", "status", "treat", "sex", c(50, 150, 300, 400), 300),
  heart = list(heart, "start", "stop", "event", "transplant", "band", c(5, 30, 90, 365, 1400), 365))
INTERVALS <- c(loglog = "log-log", log = "log", plain = "plain")

outcome <- function(s, event = s$event) if (is.null(s$entry)) Surv(s$time, event) else Surv(s$entry, s$time, event)

curves <- function(s, times, tau) {
  r <- outcome(s)
  fit <- lapply(INTERVALS, function(type) survfit(r ~ 1, conf.type = type))
  seen <- times[times <= max(s$time)]
  at <- lapply(fit, function(f) summary(f, times = seen))
  quartiles <- lapply(fit, quantile, c(.25, .5, .75))
  mean <- summary(fit$loglog, rmean = tau)$table
  back <- quantile(survfit(outcome(s, 1 - s$event) ~ 1, conf.type = "log-log"), .5)
  limits <- function(x) lapply(x, function(y) list(low = plain(y$lower), high = plain(y$upper)))
  list(n = nrow(s), events = sum(s$event), last = max(s$time), n_seen = length(seen),
       n_risk = plain(at$loglog$n.risk), n_event = plain(cumsum(at$loglog$n.event)),
       survival = plain(at$loglog$surv), limits = limits(at),
       quantile = plain(quartiles$loglog$quantile), quantile_limits = limits(quartiles),
       restricted_mean = plain(mean["rmean"]), restricted_mean_se = plain(mean["se(rmean)"]),
       follow_up = plain(c(back$quantile, back$lower, back$upper)))
}

# Two groups at milestones: complementary log-log test (Klein et al. 2007) from R's own standard
# errors, limits joined from R's own log-log limits (Newcombe 1998). R has no function for these.
differences <- function(a, b, times) lapply(times[times <= min(max(a$time), max(b$time))], function(t) {
  x <- lapply(list(a, b), function(s) {
    f <- summary(survfit(outcome(s) ~ 1, conf.type = "log-log"), times = t)
    list(s = f$surv, se = f$std.err / f$surv, low = f$lower, high = f$upper)
  })
  first <- x[[1]]; second <- x[[2]]; d <- second$s - first$s
  z <- (log(-log(first$s)) - log(-log(second$s))) /
    sqrt(first$se^2 / log(first$s)^2 + second$se^2 / log(second$s)^2)
  inner <- all(c(first$s, second$s) > 0 & c(first$s, second$s) < 1)
  list(time = t, difference = d,
       low = if (inner) d - sqrt((second$s - second$low)^2 + (first$high - first$s)^2) else NA,
       high = if (inner) d + sqrt((second$high - second$s)^2 + (first$s - first$low)^2) else NA,
       p = if (inner) 2 * pnorm(-abs(z)) else NA)
})

# The textbook sums: survdiff has no entry times and no gamma.
sums <- function(s, rho = 0, gamma = 0, strata = FALSE) {
  levels <- sort(unique(s$group)); k <- length(levels)
  entry <- if (is.null(s$entry)) rep(-1, nrow(s)) else s$entry
  o <- e <- rep(0, k); v <- matrix(0, k, k)
  for (rows in if (strata) split(seq_len(nrow(s)), s$stratum) else list(seq_len(nrow(s)))) {
    time <- s$time[rows]; event <- s$event[rows]; group <- s$group[rows]; from <- entry[rows]
    before <- 1
    for (t in sort(unique(time[event == 1]))) {
      risk <- from < t & t <= time; dead <- time == t & event == 1
      n <- sum(risk); d <- sum(dead)
      share <- sapply(levels, function(g) sum(risk & group == g)) / n
      w <- before^rho * (1 - before)^gamma
      o <- o + w * sapply(levels, function(g) sum(dead & group == g))
      e <- e + w * d * share
      if (n > 1) v <- v + w^2 * d * (n - d) / (n - 1) * (diag(share) - share %o% share)
      before <- before * (1 - d / n)
    }
  }
  u <- (o - e)[-1]
  list(statistic = drop(u %*% solve(v[-1, -1]) %*% u), observed = plain(o), expected = plain(e),
       trend = trend(o, e, v))
}
# Tarone (1975), scores 1, 2, 3, ...
trend <- function(o, e, v) { score <- seq_along(o); sum(score * (o - e))^2 / drop(score %*% v %*% score) }
tested <- function(s, rho = 0, strata = FALSE) {
  f <- if (strata) survdiff(outcome(s) ~ group + strata(stratum), s, rho = rho) else
    survdiff(outcome(s) ~ group, s, rho = rho)
  total <- function(x) if (is.matrix(x)) rowSums(x) else x
  list(statistic = f$chisq, p = pchisq(f$chisq, length(f$n) - 1, lower.tail = FALSE),
       observed = plain(total(f$obs)), expected = plain(total(f$exp)),
       trend = trend(total(f$obs), total(f$exp), f$var))
}
pairs <- function(s) {
  p <- combn(sort(unique(s$group)), 2)
  chisq <- apply(p, 2, function(two) survdiff(outcome(x) ~ group, x <- s[s$group %in% two, ])$chisq)
  raw <- pchisq(chisq, 1, lower.tail = FALSE)
  list(statistic = plain(chisq), p = plain(raw), holm = plain(p.adjust(raw, "holm")), bh = plain(p.adjust(raw, "BH")))
}

reference <- lapply(sets, function(x) {
  d <- x[[1]]
  s <- data.frame(time = d[[x[[3]]]], event = d[[x[[4]]]], group = d[[x[[5]]]], stratum = d[[x[[6]]]])
  if (x[[2]] != "") s$entry <- d[[x[[2]]]]
  s <- s[!is.na(s$stratum), ]
  groups <- split(s, s$group)
  late <- !is.null(s$entry)
  result <- list(
    entry = x[[2]], time = x[[3]], event = x[[4]], group = x[[5]], stratum = x[[6]], times = plain(x[[7]]), tau = x[[8]],
    groups = lapply(groups, curves, x[[7]], x[[8]]), differences = lapply(groups[-1], function(b) differences(groups[[1]], b, x[[7]])),
    weighted = list(
      list(powers = c(0, 0), strata = FALSE, value = sums(s)),
      list(powers = c(0, 0), strata = TRUE, value = sums(s, strata = TRUE)),
      list(powers = c(0, 1), strata = FALSE, value = sums(s, 0, 1)),
      list(powers = c(1, 1), strata = TRUE, value = sums(s, 1, 1, TRUE)),
      list(powers = c(0.5, 2), strata = FALSE, value = sums(s, 0.5, 2))))
  if (late) return(result)
  c(result, list(
    survdiff = list(
      list(powers = c(0, 0), strata = FALSE, value = tested(s)),
      list(powers = c(1, 0), strata = FALSE, value = tested(s, 1)),
      list(powers = c(0.5, 0), strata = FALSE, value = tested(s, 0.5)),
      list(powers = c(0, 0), strata = TRUE, value = tested(s, 0, TRUE)),
      list(powers = c(1, 0), strata = TRUE, value = tested(s, 1, TRUE))),
    pairwise = pairs(s)))
})

# Every allocation gone through: the score of a patient is R's martingale residual without
# covariates, and the covariance is that of the allocations themselves.
permuted <- function(rows) {
  strata <- split(rows, rows$stratum)
  k <- length(unique(rows$group))
  choose <- function(labels) { # all distinct orders of the labels, one per row
    if (length(unique(labels)) == 1) return(matrix(labels, 1))
    do.call(rbind, lapply(unique(labels), function(first) {
      rest <- labels[-match(first, labels)]
      cbind(first, if (length(rest)) choose(rest), deparse.level = 0)
    }))
  }
  parts <- lapply(strata, function(s) {
    score <- resid(coxph(Surv(time, event) ~ 1, s, ties = "breslow"), "martingale")
    ways <- choose(sort(s$group))
    list(seen = sapply(seq_len(k), function(g) sum(score[s$group == g])),
         all = sapply(seq_len(k), function(g) drop((ways == g) %*% score)))
  })
  all <- parts[[1]]$all; seen <- parts[[1]]$seen
  for (p in parts[-1]) {
    at <- expand.grid(seq_len(nrow(all)), seq_len(nrow(p$all)))
    all <- all[at[, 1], ] + p$all[at[, 2], ]; seen <- seen + p$seen
  }
  v <- crossprod(all) / nrow(all)
  form <- function(u) rowSums((u %*% solve(v[-1, -1])) * u)
  statistic <- form(matrix(seen[-1], 1))
  list(time = plain(rows$time), event = plain(rows$event), group = plain(rows$group), stratum = plain(rows$stratum),
       excess = plain(seen), statistic = statistic, allocations = nrow(all),
       p = mean(form(all[, -1, drop = FALSE]) >= statistic * (1 - 1e-9)))
}
small <- function(time, event, group, stratum = 1) data.frame(time, event, group, stratum)
o <- read("ovarian"); k <- kidney[!duplicated(kidney$id), ]; b <- bladder[bladder$stop > 0, ]; c3 <- read("colon")
ties <- head(b, 18); three <- c3[c(1:4, 200:203, 500:502), ]; four <- head(k, 9)
permutation <- list(
  ovarian = permuted(with(head(o, 18), small(time, event, arm))),
  kidney = permuted(with(head(k, 16), small(time, event, sex))),
  bladder_ties = permuted(with(ties, small(ceiling(stop / 6), event, 1 + seq_along(stop) %% 2))),
  ovarian_strata = permuted(with(head(o, 18), small(time, event, arm, residual))),
  colon_three = permuted(with(three, small(time, event, as.integer(factor(arm))))),
  kidney_three_strata = permuted(with(head(k, 12), small(time, event, 1 + seq_along(time) %% 3, sex))),
  kidney_four = permuted(with(four, small(time, event, 1 + seq_along(time) %% 4))))

# Ties of events and censorings: survfit and the rule that lets events leave first (prodlim) differ.
# Of survival: were the dead to leave before those censored in the same month, it would be 184.
back <- quantile(survfit(Surv(death_time, 1 - death) ~ 1, read("mgus2"), conf.type = "log-log"), .5)
# Overall survival to ten years: the standard error, not the spread of the patients' times.
area <- summary(survfit(Surv(dtime, death) ~ 1, read("rotterdam")), rmean = 3652)$table
write_json(list(
  R = "4.2.2", survival = "3.5-3", sets = reference, permutation = permutation,
  mgus2_follow_up = plain(c(back$quantile, back$lower, back$upper)),
  rotterdam_mean = plain(area[c("rmean", "se(rmean)")])), "survival.json")
