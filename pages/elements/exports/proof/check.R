# Recompute the numbers of a figure with R's own programs, and say where they agree.
#
# Run it in the unpacked folder: Rscript check.R. Needs the packages survival and cmprsk. Where R has no function,
# or another rule by design, the stated formula is written out here. What it has no way to compute is named so in
# the output, and counted apart.
suppressMessages(library(survival))
gray_there <- suppressMessages(require(cmprsk, quietly = TRUE))

Z <- qnorm(.975)
SKIP <- Inf # a number that R has no way to compute, or computes otherwise by design
CONTROL <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 60)

argument <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
if (length(argument)) setwd(dirname(normalizePath(argument[1])))

# ---- curves ----

starts <- function(d) if (is.null(d$start)) rep(-1, nrow(d)) else d$start
outcome <- function(d, event = d$event == 1) {
  if (is.null(d$start)) Surv(d$time, event) else Surv(d$start, d$time, event)
}
of_group <- function(d, g) {
  k <- d[d$group == g, ]
  k[starts(k) < k$time, ]
}
groups_of <- function(d) sort(unique(d$group))

# Survival at a day with log-log limits. At 1 and 0 R has none: one exact limit from those at risk.
survival_at <- function(k, f, t) {
  at_risk <- sum(starts(k) < t & t <= k$time)
  if (t > max(k$time)) return(c(at_risk = 0, events = sum(k$event == 1), survival = NA, low = NA, high = NA, se = NA))
  s <- summary(f, times = t, extend = TRUE)
  v <- c(at_risk = at_risk, events = sum(k$event == 1 & k$time <= t), survival = s$surv, low = s$lower, high = s$upper,
         se = s$std.err)
  if (s$surv >= 1) v[c("low", "high")] <- c(.025^(1 / at_risk), 1)
  if (s$surv < 1e-12) {
    i <- which(f$surv < 1e-12)[1]
    before <- if (i > 1) f$upper[i - 1] else NA
    v[c("low", "high")] <- c(0, min(1 - .025^(1 / f$n.risk[i]), before, na.rm = TRUE))
  }
  v
}
kaplan_meier <- function(d, o) {
  found <- list(); days <- as.numeric(o("milestones")); at <- list()
  for (g in groups_of(d)) {
    k <- of_group(d, g)
    f <- survfit(outcome(k) ~ 1, conf.type = "log-log")
    found[[g]] <- c(n = nrow(k), events = sum(k$event == 1))
    q <- quantile(f, .5)
    found[[paste0(g, ", median")]] <- c(median = unname(q$quantile), low = unname(q$lower), high = unname(q$upper))
    i <- f$n.event > 0
    if (any(i)) found[[paste0(g, ", every step")]] <- setNames(f$surv[i], paste("day", f$time[i]))
    at[[g]] <- lapply(days, function(t) survival_at(k, f, t))
    for (j in seq_along(days)) found[[paste0(g, ", day ", days[j])]] <- at[[g]][[j]]
  }
  if (length(at) == 2) for (j in seq_along(days)) {
    found[[paste0("difference, day ", days[j])]] <- apart(at[[1]][[j]], at[[2]][[j]])
  }
  found
}
# Limits joined from those of both (Newcombe 1998), P on the complementary log-log scale (Klein and others 2007).
apart <- function(a, b) {
  s <- c(a["survival"], b["survival"]); d <- s[2] - s[1]
  z <- (log(-log(s[1])) - log(-log(s[2]))) / sqrt((a["se"] / s[1] / log(s[1]))^2 + (b["se"] / s[2] / log(s[2]))^2)
  inner <- !anyNA(s) && all(s > 1e-12 & s < 1)
  setNames(c(d, d - sqrt((s[2] - b["low"])^2 + (a["high"] - s[1])^2), d + sqrt((b["high"] - s[2])^2 + (s[1] - a["low"])^2),
             if (inner) 2 * pnorm(-abs(z)) else NA), c("difference", "low", "high", "p"))
}
restricted_mean <- function(d, o) {
  tau <- as.numeric(o("tau"))
  m <- sapply(groups_of(d), function(g) {
    t <- summary(survfit(outcome(of_group(d, g)) ~ 1), rmean = tau)$table
    unname(t[grep("rmean", names(t))])
  })
  name <- colnames(m); m <- unname(m)
  found <- lapply(seq_len(ncol(m)), function(i) c(mean = m[1, i], error = m[2, i], low = m[1, i] - Z * m[2, i],
                                                  high = m[1, i] + Z * m[2, i]))
  names(found) <- paste0(name, ", mean")
  if (ncol(m) == 2) {
    e <- m[1, 2] - m[1, 1]; s <- sqrt(sum(m[2, ]^2))
    found[["g02 less g01, mean"]] <- c(difference = e, low = e - Z * s, high = e + Z * s, p = 2 * pnorm(-abs(e / s)))
  }
  found
}
# Being censored is the event, and every event censors.
follow_up <- function(d, o) {
  q <- quantile(survfit(Surv(d$time, d$event == 0) ~ 1, conf.type = "log-log"), .5)
  list("follow-up" = c(n = nrow(d), events = sum(d$event == 1), median = unname(q$quantile), low = unname(q$lower),
                       high = unname(q$upper)))
}

# ---- tests ----

# The textbook sums, for survdiff takes no entry times.
sums <- function(d) {
  levels <- groups_of(d); k <- length(levels); o <- e <- rep(0, k); v <- matrix(0, k, k)
  for (s in if (is.null(d$stratum)) list(d) else split(d, d$stratum)) {
    from <- starts(s)
    for (t in sort(unique(s$time[s$event == 1 & from < s$time]))) {
      risk <- from < t & t <= s$time; dead <- s$time == t & s$event == 1 & from < t
      n <- sum(risk); m <- sum(dead); share <- sapply(levels, function(g) sum(risk & s$group == g)) / n
      o <- o + sapply(levels, function(g) sum(dead & s$group == g)); e <- e + m * share
      if (n > 1) v <- v + m * (n - m) / (n - 1) * (diag(share, k) - share %o% share)
    }
  }
  used <- which(e > 0)[-1]; u <- (o - e)[used]
  statistic <- tryCatch(drop(u %*% solve(v[used, used]) %*% u), error = function(x) NA)
  list(statistic = if (length(used)) statistic else NA, obs = o, exp = e, var = v)
}
tested <- function(d) {
  f <- if (!is.null(d$start)) sums(d) else tryCatch({
    f <- if (is.null(d$stratum)) survdiff(outcome(d) ~ group, d) else survdiff(outcome(d) ~ group + strata(stratum), d)
    total <- function(x) if (is.matrix(x)) rowSums(x) else x
    list(statistic = f$chisq, obs = total(f$obs), exp = total(f$exp), var = f$var)
  }, error = function(x) sums(d))
  f$df <- max(sum(f$exp > 0) - 1, 0)
  # Where nobody was at risk together at an event there is no test.
  if (f$df == 0 || !is.finite(f$statistic) || sum(abs(f$var)) < 1e-12) f$statistic <- NA
  f$p <- pchisq(f$statistic, f$df, lower.tail = FALSE)
  f
}
log_rank <- function(d, o) {
  f <- tested(d); levels <- groups_of(d)
  found <- list(test = c(statistic = f$statistic, df = f$df, p = f$p))
  n <- sapply(levels, function(g) nrow(of_group(d, g)))
  for (i in seq_along(levels)) found[[paste0(levels[i], ", test")]] <- c(n = n[[i]], observed = f$obs[[i]], expected = f$exp[[i]])
  found
}
trend <- function(d, o) {
  f <- tested(d); score <- seq_along(f$obs)
  x <- sum(score * (f$obs - f$exp))^2 / drop(score %*% f$var %*% score)
  list(trend = c(statistic = x, p = pchisq(x, 1, lower.tail = FALSE)))
}
pairs <- function(d, o) {
  two <- combn(groups_of(d), 2)
  p <- apply(two, 2, function(g) tested(d[d$group %in% g, ])$p)
  setNames(lapply(seq_along(p), function(i) c(p = p[i], adjusted = p.adjust(p, "holm")[i])),
           paste(two[1, ], "and", two[2, ]))
}

# ---- competing events ----

limits_of_incidence <- function(f, v, n) {
  if (is.na(f)) return(c(NA, NA))
  if (f == 0) return(c(0, 1 - .025^(1 / n)))
  reach <- Z * sqrt(v) / (f * log(f))
  if (f >= 1) c(SKIP, 1) else c(f^exp(-reach), f^exp(reach))
}
incidence <- function(d, o) {
  if (!gray_there) return(NULL)
  days <- as.numeric(o("milestones")); found <- list()
  for (g in groups_of(d)) {
    k <- d[d$group == g, ]; last <- max(k$time)
    f <- tryCatch(cuminc(k$time, k$event), error = function(x) list())
    for (cause in 1:2) {
      one <- f[paste(1, cause)][[1]]; name <- paste0(g, ", cause ", cause)
      value <- function(t, what) if (is.null(one)) 0 else timepoints(list("1 1" = one), t)[[what]][1, 1]
      hit <- k$event == cause
      found[[name]] <- c(n = nrow(k), events = sum(hit))
      for (t in days) {
        x <- if (t > last) NA else value(t, "est")
        free <- k$event != 0; gone <- !any(k$time > t) && all(free[k$time == last])
        n <- if (gone) sum(k$time >= last) else sum(k$time >= t) # those left when the last of them had an event
        l <- limits_of_incidence(x, if (t > last) NA else value(t, "var"), n)
        found[[paste0(name, ", day ", t)]] <- c(at_risk = sum(k$time >= t), events = sum(hit & k$time <= t), incidence = x,
                                               low = l[1], high = l[2])
      }
      steps <- sort(unique(k$time[hit]))
      found[[paste0(name, ", every step")]] <- setNames(sapply(steps, value, "est"), if (length(steps)) paste("day", steps))
    }
  }
  found
}
gray <- function(d, o) {
  if (!gray_there) return(NULL)
  t <- tryCatch(cuminc(d$time, d$event, d$group)$Tests, error = function(x) NULL)
  x <- if ("1" %in% rownames(t)) t["1", ] else c(stat = NA, pv = NA, df = length(groups_of(d)) - 1)
  # cuminc answers a singular variance with -1: no test.
  if (!is.na(x["stat"]) && x["stat"] < 0) x[c("stat", "pv")] <- NA
  found <- list(test = c(statistic = unname(x["stat"]), df = unname(x["df"]), p = unname(x["pv"])))
  for (g in groups_of(d)) found[[paste0(g, ", test")]] <- c(n = sum(d$group == g), observed = sum(d$group == g & d$event == 1),
                                                            expected = SKIP) # cuminc does not give it
  found
}

# ---- Cox ----

terms_of <- function(f) {
  s <- summary(f)$coefficients; b <- coef(f)
  error <- s[, if ("robust se" %in% colnames(s)) "robust se" else "se(coef)"]
  list(name = names(b), ratio = exp(b), low = exp(b - Z * error), high = exp(b + Z * error),
       p = 2 * pnorm(-abs(b / error)), infinite = is.na(b) | abs(b) > 12 | error > 100)
}
four <- function(t, i) c(ratio = t$ratio[[i]], low = t$low[[i]], high = t$high[[i]], p = t$p[[i]])
fitted_cox <- function(...) {
  call <- match.call(); call[[1]] <- quote(coxph); call$ties <- "efron"; call$control <- quote(CONTROL)
  suppressWarnings(eval.parent(call))
}
hazard_ratios <- function(d, o) {
  d$group <- relevel(factor(d$group), o("reference"))
  f <- fitted_cox(outcome(d) ~ group, data = d); t <- terms_of(f); found <- list()
  for (i in seq_along(t$name)) if (!t$infinite[i]) found[[paste0(sub("^group", "", t$name[i]), ", ratio")]] <- four(t, i)
  # cox.zph has no limit of an infinite ratio to start from.
  p <- if (any(t$infinite)) SKIP else cox.zph(f, transform = "km")$table["GLOBAL", "p"]
  found[["proportional hazards"]] <- c(p = p)
  found
}
model_names <- function(o, all) unique(sub("^models/(.*)/covariates$", "\\1", grep("/covariates$", grep("^models/", all, value = TRUE), value = TRUE)))
cox <- function(d, o, all) {
  for (x in unique(sub("^levels/", "", grep("^levels/", all, value = TRUE)))) d[[x]] <- factor(d[[x]], o(paste0("levels/", x)))
  found <- list()
  for (m in model_names(o, all)) {
    option <- function(x) o(paste0("models/", m, "/", x))
    if (option("firth") == "True") next # R's packages for Firth's penalty are not asked for
    used <- d[complete.cases(d[option("covariates")]), ]
    for (x in option("covariates")) if (is.factor(used[[x]])) used[[x]] <- droplevels(used[[x]])
    f <- fitted_cox(reformulate(option("covariates"), "outcome(used)"), data = used); t <- terms_of(f)
    infinite <- any(t$infinite)
    for (i in seq_along(t$name)) if (!t$infinite[i]) {
      found[[paste0(sub("^(x[0-9]+)(l[0-9]+)$", "\\1 \\2", t$name[i]), ", ", m)]] <- four(t, i)
    }
    if (option("whole") == "True") {
      found[[m]] <- c(events = f$nevent, likelihood_ratio_p = if (infinite) SKIP else unname(summary(f)$logtest["pvalue"]),
                      concordance = if (infinite) SKIP else unname(f$concordance["concordance"]))
      z <- if (infinite) NULL else cox.zph(f, transform = "km")$table
      for (x in c(option("covariates"), "GLOBAL")) found[[paste0(x, ", proportional hazards, ", m)]] <-
        c(p = if (is.null(z)) SKIP else if (x %in% rownames(z)) z[x, "p"] else z["GLOBAL", "p"])
    }
  }
  found
}
subgroups <- function(d, o, all) {
  one <- function(k) {
    v <- c(n = nrow(k), events = sum(k$event == 1), ratio = NA, low = NA, high = NA, p = NA)
    if (length(unique(k$group)) < 2 || v["events"] == 0) return(v)
    t <- terms_of(fitted_cox(outcome(k) ~ group, data = k))
    if (!t$infinite[1]) v[3:6] <- four(t, 1)
    v
  }
  found <- list(all = one(d))
  for (s in unique(sub("^levels/", "", grep("^levels/", all, value = TRUE)))) {
    known <- d[!is.na(d[[s]]), ]
    for (l in o(paste0("levels/", s))) found[[paste(s, l)]] <- one(known[known[[s]] == l, ])
    # A level without events says nothing of the ratio, and anova would count a degree of freedom for it.
    told <- names(which(tapply(known$event == 1, known[[s]], sum) > 0))
    k <- known[known[[s]] %in% told, ]; k$level <- factor(k[[s]]); p <- NA
    df <- sum(sapply(told, function(l) length(unique(k$group[k[[s]] == l])) == 2)) - 1
    if (length(told) > 1 && df > 0) {
      both <- list(fitted_cox(outcome(k) ~ group + level, data = k), fitted_cox(outcome(k) ~ group * level, data = k))
      p <- pchisq(2 * (both[[2]]$loglik[2] - both[[1]]$loglik[2]), df, lower.tail = FALSE)
    }
    found[[paste0(s, ", interaction")]] <- c(p = p)
  }
  found
}

# ---- weights ----

weighted <- function(d, o, all) {
  d$treated <- as.integer(d$group == "g02"); estimand <- o("estimand")
  if (length(estimand)) {
    for (x in unique(sub("^levels/", "", grep("^levels/", all, value = TRUE)))) d[[x]] <- factor(d[[x]], o(paste0("levels/", x)))
    varying <- Filter(function(x) length(unique(d[[x]])) > 1, o("covariates")) # R refuses a factor of one level
    e <- fitted(glm(reformulate(varying, "treated"), binomial, d, control = glm.control(1e-15, 50)))
    h <- if (estimand == "ATE") 1 + 0 * e else e
    d$weight <- h / ifelse(d$treated == 1, e, 1 - e) * ifelse(d$treated == 1, mean(d$treated), 1 - mean(d$treated)) / mean(h)
  }
  d$unit <- if (is.null(d$pair)) seq_len(nrow(d)) else d$pair
  kept <- d[d$weight > 0, ]; even <- d; even$weight <- 1
  before <- fitted_cox(Surv(time, event == 1) ~ treated, data = d)
  after <- fitted_cox(Surv(time, event == 1) ~ treated, data = kept, weights = weight, cluster = unit, robust = TRUE)
  ratio <- function(f, p) {
    t <- terms_of(f)
    c(if (t$infinite[1]) c(ratio = NA, low = NA, high = NA) else four(t, 1)[1:3], p = unname(p))
  }
  found <- list("ratio, before" = ratio(before, summary(before)$sctest["pvalue"]),
                "ratio, after" = ratio(after, summary(after)$robscore["pvalue"]))
  for (when in c("before", "after")) for (g in groups_of(d)) for (t in as.numeric(o("milestones"))) {
    k <- if (when == "before") even[even$group == g, ] else kept[kept$group == g, ]
    found[[paste0(g, ", day ", t, ", ", when)]] <- weighted_at(k, t)
  }
  found
}
weighted_at <- function(k, t) {
  if (t > max(k$time)) return(c(survival = NA, low = NA, high = NA))
  f <- survfit(Surv(time, event == 1) ~ 1, k, weights = weight, robust = TRUE, id = seq_len(nrow(k)), conf.type = "log-log")
  s <- summary(f, times = t, extend = TRUE); w <- k$weight[k$time >= t]
  if (s$surv >= 1) return(c(survival = 1, low = .025^(sum(w^2) / sum(w)^2), high = 1)) # effective number at risk
  if (s$surv < 1e-12) return(c(survival = 0, low = 0, high = SKIP))
  c(survival = s$surv, low = s$lower, high = s$upper)
}

# ---- rates and tables ----

landmark <- function(d, o) {
  at <- as.numeric(o("landmark")); late <- !is.na(d$known_day) & d$known_day > at; gone <- d$time <= at; out <- gone | late
  # In this order: an event before the landmark, last seen before it, status known only after it.
  reason <- ifelse(gone & d$event > 0, "event before the landmark", ifelse(gone, "last seen before the landmark",
                                                                           "status known only after the landmark"))
  found <- list("followed on" = c(n = sum(!out)), "left out" = c(n = sum(out), events = sum(out & d$event > 0)))
  for (r in unique(reason[out])) found[[paste0("left out, ", r)]] <- c(n = sum(out & reason == r))
  found
}
wilson <- function(x, n) {
  w <- suppressWarnings(prop.test(x, n, correct = FALSE))$conf.int
  c(if (x == 0) 0 else w[1], if (x == n) 1 else w[2])
}
# Newcombe (1998), method 10, of two groups; with a correlation of paired results.
hybrid <- function(x1, n1, x2, n2, phi = 0) {
  if (n1 == 0 || n2 == 0) return(c(difference = NA, low = NA, high = NA))
  p1 <- x1 / n1; p2 <- x2 / n2; w1 <- wilson(x1, n1); w2 <- wilson(x2, n2)
  side <- function(a, b) sqrt(a^2 - 2 * phi * a * b + b^2)
  c(difference = p1 - p2, low = p1 - p2 - side(p1 - w1[1], w2[2] - p2), high = p1 - p2 + side(w1[2] - p1, p2 - w2[1]))
}
# Of a table with one row or column there is no test. Past R's workspace there is none either.
fisher <- function(m) {
  m <- m[rowSums(m) > 0, colSums(m) > 0, drop = FALSE]
  if (min(dim(m)) < 2) return(NA)
  tryCatch(fisher.test(m, workspace = 2e7)$p.value, error = function(x) SKIP)
}
rates <- function(d, o) {
  found <- list()
  for (at in unique(d$at)) {
    k <- d[d$at == at, ]
    for (i in seq_len(nrow(k))) found[[paste0(at, ", ", k$group[i])]] <- if (k$total[i] == 0) c(rate = NA, low = NA, high = NA) else {
      l <- binom.test(k$count[i], k$total[i])$conf.int
      c(rate = k$count[i] / k$total[i], low = l[1], high = l[2])
    }
    found[[paste0(at, ", test")]] <- c(p = fisher(cbind(k$count, k$total - k$count)))
    if (nrow(k) == 2) found[[paste0(at, ", difference")]] <- hybrid(k$count[1], k$total[1], k$count[2], k$total[2])
  }
  found
}
square <- function(d) matrix(d$count, 2, byrow = TRUE)
paired <- function(d, o) {
  m <- square(d); n <- sum(m); b <- m[1, 2]; c <- m[2, 1]
  if (n == 0) return(list(paired = c(n = 0, difference = NA, low = NA, high = NA, p = NA)))
  margins <- prod(c(rowSums(m), colSums(m))); excess <- m[1, 1] * m[2, 2] - b * c
  if (excess > 0) excess <- max(excess - n / 2, 0) # continuity-corrected phi
  phi <- if (margins == 0) 0 else excess / sqrt(margins)
  list(paired = c(n = n, hybrid(sum(m[1, ]), n, sum(m[, 1]), n, phi), p = if (b + c) binom.test(b, b + c)$p.value else NA))
}
kappa_of <- function(d, o) {
  p <- square(d) / sum(d$count); chance <- sum(rowSums(p) * colSums(p))
  if (chance >= 1) return(list(agreement = c(kappa = NA, low = NA, high = NA)))
  k <- (sum(diag(p)) - chance) / (1 - chance)
  crossed <- outer(colSums(p), rowSums(p), "+")
  v <- (sum(p * (diag(2) - (1 - k) * crossed)^2) - (k - chance * (1 - k))^2) / (1 - chance)^2 / sum(d$count)
  # Without an error the limits would claim certainty.
  l <- if (v < 1e-20) c(NA, NA) else c(max(k - Z * sqrt(v), -1), min(k + Z * sqrt(v), 1))
  list(agreement = c(kappa = k, low = l[1], high = l[2]))
}
number_apart <- function(a, b) {
  if (length(a) < 2 || length(b) < 2) return(NA)
  s <- sqrt((var(a) + var(b)) / 2); m <- abs(mean(a) - mean(b))
  if (s < 1e-12) (if (m == 0) 0 else -Inf) else m / s
}
category_apart <- function(x, y) { # Yang and Dalton (2012)
  if (sum(x) == 0 || sum(y) == 0) return(NA)
  used <- which(x + y > 0); used <- used[-length(used)]
  if (!length(used)) return(0)
  p <- x[used] / sum(x); q <- y[used] / sum(y)
  s <- (diag(p, length(p)) - p %o% p + diag(q, length(q)) - q %o% q) / 2
  if (qr(s)$rank < length(used)) return(-Inf)
  sqrt(drop((p - q) %*% solve(s) %*% (p - q)))
}
# The largest over all pairs of groups; none where one is infinitely large.
largest <- function(parts, apart) {
  if (length(parts) < 2) return(NA)
  x <- combn(seq_along(parts), 2, function(i) apart(parts[[i[1]]], parts[[i[2]]]))
  if (any(x %in% -Inf) || all(is.na(x))) NA else max(x, na.rm = TRUE)
}
rank_test <- function(parts) {
  parts <- parts[lengths(parts) > 0]; x <- unlist(parts)
  if (length(parts) < 2 || length(unique(x)) < 2) return(NA)
  g <- rep(seq_along(parts), lengths(parts))
  if (length(parts) == 2) wilcox.test(parts[[1]], parts[[2]], exact = FALSE)$p.value else kruskal.test(x, g)$p.value
}
table_one <- function(d, o) {
  found <- list(); grouped <- o("grouped") == "True"
  for (v in unique(d$variable)) {
    k <- d[d$variable == v, ]; kind <- o(paste0("kinds/", v))
    groups <- if (grouped) groups_of(k) else character()
    parts <- lapply(groups, function(g) { x <- k$value[k$group == g]; x <- x[!is.na(x)]; if (kind == "number") as.numeric(x) else x })
    for (g in c("all", groups)) {
      x <- if (g == "all") k$value else k$value[k$group == g]; known <- x[!is.na(x)]; at <- paste0(v, ", ", g)
      found[[at]] <- c(n = length(known), missing = sum(is.na(x)))
      if (kind == "number") {
        q <- if (length(known)) quantile(as.numeric(known), names = FALSE) else rep(NA, 5)
        found[[paste0(at, ", spread")]] <- setNames(q, c("minimum", "q1", "median", "q3", "maximum"))
      } else for (l in if (kind == "boolean") "yes" else o(paste0("levels/", v))) {
        found[[paste0(at, ", ", l)]] <- c(count = sum(known == l), percent = if (length(known)) 100 * mean(known == l) else NA)
      }
    }
    if (!grouped) next
    levels <- if (kind == "boolean") c("no", "yes") else if (kind == "category") o(paste0("levels/", v))
    counts <- lapply(parts, function(x) sapply(levels, function(l) sum(x == l)))
    found[[paste0(v, ", test")]] <- if (kind == "number") c(p = rank_test(parts), smd = largest(parts, number_apart)) else
      c(p = fisher(do.call(rbind, counts)), smd = largest(counts, category_apart))
  }
  found
}

# ---- what agrees ----

# Where R answers otherwise by design, or not at all, and what is computed here instead.
NOTES <- list(
  kaplan_meier = "at survival 1 and 0 survfit has no limits: exact binomial ones from the number at risk; differences after Newcombe",
  cumulative_incidence = "cuminc has no limits: F^exp(z se / (F log F)) with its variance, exact binomial ones at 0",
  gray = "cuminc does not say how many events were expected",
  log_rank = "survdiff takes no entry times: with them the textbook sums",
  hazard_ratios = "ratios without a finite estimate are left out, and cox.zph beside them",
  cox = "ratios without a finite estimate are left out; Firth's penalty needs another package",
  subgroups = "interaction by likelihood ratio without levels that had no event",
  weighted = "limits at survival 1 from the effective number at risk",
  rates = "differences after Newcombe, which prop.test does not have; Fisher's test past stated limits is not given",
  mcnemar = "exact, not mcnemar.test; difference after Newcombe, paired",
  kappa = "Cohen's, written out; no limits where there is no error",
  permutation_log_rank = "not computed in R",
  table_one = "differences after Yang and Dalton, written out; Fisher's test past stated limits is not given")

KINDS <- list(kaplan_meier = kaplan_meier, restricted_mean = restricted_mean, follow_up = follow_up, log_rank = log_rank,
              log_rank_trend = trend, pairwise_log_rank = pairs, cumulative_incidence = incidence, gray = gray,
              hazard_ratios = hazard_ratios, cox = cox, subgroups = subgroups, weighted = weighted, landmark = landmark,
              rates = rates, mcnemar = paired, kappa = kappa_of, table_one = table_one)
table_of <- function(name) read.csv(name, colClasses = "character", na.strings = character(), encoding = "UTF-8")
expected <- table_of("expected.csv"); options_of <- table_of("options.csv")

agrees <- function(a, b) {
  if (is.na(a) || is.na(b)) return(is.na(a) && is.na(b))
  abs(a - b) <= 1e-6 * max(1, abs(a)) && (abs(a) >= 1e-6 || abs(a - b) <= .01 * abs(a) + 1e-15)
}
shown <- function(x) if (length(x) > 6) paste(length(x), "numbers") else
  paste(names(x), ifelse(is.na(x), "-", ifelse(is.infinite(x), "(not computed in R)", format(x, digits = 6, trim = TRUE))), collapse = ", ")
worded <- function(line, labels) {
  for (code in names(labels)[order(-nchar(names(labels)))]) line <- gsub(paste0("\\b", code, "\\b"), labels[[code]], line, perl = TRUE)
  line
}
told <- character(); n <- n_agree <- n_left <- 0; changed <- character()
for (id in unique(options_of$proof)) {
  mine <- options_of[options_of$proof == id, ]
  o <- function(name) mine$value[mine$name == name]
  cat(o("title"), " (", o("exhibit"), ")\n", sep = "")
  if (!o("kind") %in% told) for (note in NOTES[[o("kind")]]) cat("  [R: ", note, "]\n", sep = "")
  told <- union(told, o("kind"))
  if (unname(tools::md5sum(o("data"))) != o("md5")) changed <- union(changed, o("data"))
  head <- names(read.csv(o("data"), nrows = 1, check.names = FALSE))
  rows <- read.csv(o("data"), na.strings = "", colClasses = ifelse(head %in% o("texts"), "character", NA))
  label <- mine[grepl("^labels/", mine$name), ]
  labels <- setNames(as.list(gsub("\\", "\\\\", label$value, fixed = TRUE)), sub("^labels/", "", label$name))
  run <- KINDS[[o("kind")]]
  found <- if (is.null(run)) NULL else tryCatch(
    if (length(formals(run)) == 3) run(rows, o, mine$name) else run(rows, o),
    error = function(x) { cat("  cannot be computed from these rows:", conditionMessage(x), "\n"); list() })
  lines <- expected[expected$proof == id, ]
  for (line in unique(lines$line)) {
    k <- lines[lines$line == line, ]
    want <- setNames(suppressWarnings(as.numeric(k$value)), k$name)
    by_design <- is.null(found) || grepl(", penalised$", line)
    got <- if (by_design) rep(SKIP, length(want)) else if (is.null(found[[line]])) rep(NA, length(want)) else unname(found[[line]][k$name])
    # R goes on with Fisher's test while its workspace lasts; here there is no P value past stated limits.
    past <- grepl(", test$", line) & k$name == "p" & is.na(want) & o("kind") %in% c("rates", "table_one")
    got[past & !is.na(got)] <- SKIP
    left <- !is.na(got) & is.infinite(got)
    good <- mapply(agrees, want, got)[!left]
    n <- n + length(good); n_agree <- n_agree + sum(good); n_left <- n_left + sum(left)
    said <- if (all(left)) "not computed in R" else if (all(good)) "agree" else "DIFFER"
    cat("  ", worded(line, labels), ": expected ", shown(want), "; computed ", shown(setNames(got, k$name)), ": ", said, "\n", sep = "")
    if (!all(good) && length(want) > 6) for (i in which(!mapply(agrees, want, got) & !left)) {
      cat("    ", k$name[i], ": expected ", format(want[i], digits = 9), ", computed ", format(got[i], digits = 9), "\n", sep = "")
    }
  }
}
for (name in changed) cat(name, "is not the file that was written.\n")
if (n_left) cat(n_left, "numbers are not computed in R: see README.txt.\n")
cat(n_agree, "of", n, "numbers agree\n")
quit(status = as.integer(length(changed) > 0 || n_agree < n))
