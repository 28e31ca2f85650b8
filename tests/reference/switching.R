# Reference values for groups formed after baseline: landmark, Mantel-Byar, Simon-Makuch.
# R 4.2.2, survival 3.5-3. Run in this folder: reads datasets/*.csv, writes switching.json.
library(survival)

source("write.R")
control <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50)
read <- function(name) read.csv(file.path("datasets", paste0(name, ".csv")))

# One frame per question: id, time, event, switch (day of the change, NA for never), stratum.
stanford <- with(read("stanford"), data.frame(id, time, event, switch = wait, stratum = surgery))
myeloid <- with(read("myeloid"), data.frame(id, time = death_time, event = death, switch = transplant,
                                            stratum = as.integer(factor(sex))))
mgus2 <- with(read("mgus2"), data.frame(id, time = death_time, event = death, # many ties: months
                                        switch = ifelse(event == 1, time, NA), stratum = as.integer(factor(sex))))
rotterdam <- with(read("rotterdam"), data.frame(id, time = dtime, event = death,
                                                switch = ifelse(recur == 1, rtime, NA), stratum = grade))

# The rows of the counting process are R's own; who leaves on day 0 has none.
rows_of <- function(d) {
  d <- d[d$time > 0, ]
  tmerge(d[c("id", "stratum")], d, id = id, died = event(time, event), switched = tdc(switch))
}

# survdiff takes no entry times: the textbook sums over strata and distinct times instead.
textbook <- function(r, stratum = rep(1, nrow(r))) {
  observed <- c(0, 0); expected <- c(0, 0); variance <- 0
  for (s in unique(stratum)) {
    k <- r[stratum == s, ]
    for (t in unique(k$tstop[k$died == 1])) {
      risk <- k$tstart < t & t <= k$tstop
      here <- k$tstop == t & k$died == 1
      n <- sum(risk); e <- sum(here); share <- sum(risk & k$switched == 1) / n
      observed <- observed + c(sum(here & k$switched == 0), sum(here & k$switched == 1))
      expected <- expected + e * c(1 - share, share)
      if (n > 1) variance <- variance + e * (n - e) / (n - 1) * share * (1 - share)
    }
  }
  statistic <- (observed - expected)[2]^2 / variance
  list(statistic = statistic, p_value = pchisq(statistic, 1, lower.tail = FALSE),
       observed = plain(observed), expected = plain(expected))
}

curves <- function(r, start, times) {
  r <- r[r$tstop > start, ]
  r$tstart <- pmax(r$tstart, start)
  s <- summary(survfit(Surv(tstart, tstop, died) ~ switched, r, conf.type = "log-log"),
               times = times, extend = TRUE)
  one <- function(g) {
    i <- s$strata == paste0("switched=", g)
    k <- r[r$switched == g, ]
    # Counted, since summary() gives those at risk at the next exit: with entries in between too many.
    n_risk <- sapply(times, function(t) sum(k$tstart < t & t <= k$tstop))
    list(n_risk = plain(n_risk), n_event = plain(cumsum(s$n.event[i])), survival = plain(s$surv[i]),
         low = plain(s$lower[i]), high = plain(s$upper[i]))
  }
  after <- survfit(Surv(tstart, tstop, died) ~ 1, r[r$switched == 1, ])
  fallen <- min(c(after$time[after$surv == 0], Inf)) # to 0 while others were still to join
  collapsed <- if (any(r$tstart[r$switched == 1] >= fallen)) fallen
  list(start = start, times = plain(times), collapsed_at = collapsed, not_switched = one(0), switched = one(1))
}

ask <- function(d, starts, times) {
  r <- rows_of(d)
  cox <- coxph(Surv(tstart, tstop, died) ~ switched, r, ties = "efron", control = control)
  list(n_rows = nrow(r), n_late = sum(d$switch >= d$time & d$time > 0, na.rm = TRUE), n_dropped = sum(d$time <= 0),
       person_time = sum(r$tstop - r$tstart), n = plain(table(r$switched)),
       mantel_byar = textbook(r), stratified = textbook(r, r$stratum),
       time_dependent = list(ratio = unname(exp(coef(cox))), p_value = summary(cox)$coefficients[, "Pr(>|z|)"]),
       simon_makuch = lapply(starts, function(start) curves(r, start, times[times > start])))
}
answers <- list(
  stanford = ask(stanford, c(0, 30), c(60, 180, 365, 730, 1095)),
  myeloid = ask(myeloid, c(0, 180), c(90, 365, 730, 1095, 1826)),
  mgus2 = ask(mgus2, c(0, 24), c(12, 36, 60, 120, 240)),
  rotterdam = ask(rotterdam, c(0, 365), c(730, 1095, 1826, 3650)))

# Where R has a test of its own: the score test of the exact partial likelihood is the log-rank
# with its hypergeometric variance, and without ties so is Breslow's.
untied <- with(stanford, data.frame(id, time = 1000 * time + id, event, switch = 1000 * switch, stratum))
score <- list(
  stanford_exact = coxph(Surv(tstart, tstop, died) ~ switched, rows_of(stanford), ties = "exact")$score,
  stanford_untied = coxph(Surv(tstart, tstop, died) ~ switched, rows_of(untied), ties = "breslow")$score)

# R's own rows of the Stanford data, with its corrections of the days.
heart <- read("heart")
heart$transplant <- as.integer(heart$transplant)
h <- data.frame(tstart = heart$start, tstop = heart$stop, died = heart$event, switched = heart$transplant)
heart_test <- c(textbook(h), list(
  exact = coxph(Surv(start, stop, event) ~ transplant, heart, ties = "exact")$score))

# The three answers to 'does a transplant help?' on one data set.
cox <- function(d, g) {
  f <- summary(coxph(Surv(time, event) ~ g, d, control = control))
  test <- survdiff(Surv(time, event) ~ g, d)
  list(n = nrow(d), n_switched = sum(g), ratio = f$coefficients[, "exp(coef)"],
       p_value = f$coefficients[, "Pr(>|z|)"], log_rank = test$chisq, log_rank_p = pchisq(test$chisq, 1, lower.tail = FALSE))
}
landmark <- function(d, at) {
  k <- d[d$time > at, ]
  c(list(at = at, n_later = sum(k$switch > at, na.rm = TRUE)), cox(k, !is.na(k$switch) & k$switch <= at))
}
three <- list(ever = cox(myeloid, !is.na(myeloid$switch)), landmark = lapply(c(90, 180, 365), landmark, d = myeloid))

write_json(c(list(R = "4.2.2", survival = "3.5-3"), answers, list(score = score, heart = heart_test, myeloid_answers = three)),
           "switching.json")
