# Reference values of Cox models: several covariates, strata, interactions, left truncation, time-dependent
# covariates, robust variance, weights, concordance, proportional hazards, Firth's penalty.
# R 4.2.2, survival 3.5-3. Run in this folder: reads datasets/*.csv, writes cox.json.
library(survival)
source("write.R")
read <- function(name) read.csv(file.path("datasets", paste0(name, ".csv")), stringsAsFactors = TRUE)
exact <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 50)

fit <- function(data, formula, ties = "efron", weights = NULL, cluster = NULL) {
  call <- list(formula, data = data, ties = ties, control = exact)
  if (!is.null(weights)) call <- c(call, list(weights = data[[weights]], robust = TRUE))
  if (!is.null(cluster)) call <- c(call, list(cluster = data[[cluster]]))
  f <- do.call(coxph, call)
  s <- summary(f)
  robust <- !is.null(f$naive.var)
  out <- list(n = f$n, n_event = f$nevent, coefficient = plain(coef(f)),
              standard_error = plain(sqrt(diag(f$var))), p_value = plain(s$coefficients[, ncol(s$coefficients)]),
              low = plain(s$conf.int[, 3]), high = plain(s$conf.int[, 4]), loglik = f$loglik[length(f$loglik)],
              loglik_null = f$loglik[1], concordance = unname(f$concordance["concordance"]),
              tests = list(`likelihood ratio` = unname(s$logtest[1]), Wald = unname(f$wald.test), score = unname(f$score)))
  if (robust) out$tests <- list(Wald = unname(f$wald.test), `robust score` = unname(f$rscore))
  z <- cox.zph(f)$table
  out$proportional_hazards <- list(term = I(rownames(z)), statistic = plain(z[, 1]),
                                   degrees_of_freedom = plain(z[, 2]), p_value = plain(z[, 3]))
  out
}

colon <- read("colon"); pbc <- read("pbc"); rotterdam <- read("rotterdam"); gbsg <- read("gbsg")
heart <- read("heart"); cgd <- read("cgd"); retinopathy <- read("retinopathy"); rats <- read("rats")
kidney <- read("kidney"); mgus2 <- read("mgus2"); ovarian <- read("ovarian"); myeloid <- read("myeloid")
transplant <- read("transplant")
pbc$first <- as.numeric(pbc$event == 1)
mgus2$first <- as.numeric(mgus2$event == 1)
rotterdam$years <- ceiling(rotterdam$rtime / 365.25)  # many ties
rotterdam$weight <- 0.5 + (rotterdam$id %% 7) / 4
rotterdam$entry <- floor(rotterdam$rtime * (rotterdam$id %% 5) / 10)
times <- function(d) { # one row before and one after the transplant
  d$day <- d$transplant
  before <- data.frame(id = d$id, start = 0, stop = pmin(d$day, d$death_time, na.rm = TRUE), switched = 0,
                       event = ifelse(!is.na(d$day) & d$day < d$death_time, 0, d$death))
  after <- subset(d, !is.na(day) & day < death_time)
  rows <- rbind(before, data.frame(id = after$id, start = after$day, stop = after$death_time, switched = 1, event = after$death))
  rows[rows$start < rows$stop, ]
}

models <- list(
  ovarian = fit(ovarian, Surv(time, event) ~ age + residual + arm),
  colon = fit(colon, Surv(time, event) ~ arm + sex + age + nodes + differ),
  colon_breslow = fit(colon, Surv(time, event) ~ arm + nodes, ties = "breslow"),
  colon_strata = fit(colon, Surv(time, event) ~ arm + age + strata(extent)),
  colon_interaction = fit(colon, Surv(time, event) ~ arm + sex + arm:sex),
  colon_main = fit(colon, Surv(time, event) ~ arm + sex),
  pbc_cause = fit(pbc, Surv(time, first) ~ age + bili + albumin + protime + edema),
  gbsg = fit(gbsg, Surv(time, event) ~ hormon + age + meno + size + factor(grade) + nodes + pgr + er),
  rotterdam_ties = fit(rotterdam, Surv(years, recur) ~ size + factor(grade) + nodes),
  rotterdam_entry = fit(rotterdam, Surv(entry, rtime, recur) ~ size + nodes),
  rotterdam_weighted = fit(rotterdam, Surv(rtime, recur) ~ hormon + nodes, weights = "weight"),
  rotterdam_weighted_ties = fit(rotterdam, Surv(years, recur) ~ hormon + nodes, weights = "weight"),
  heart = fit(heart, Surv(start, stop, event) ~ transplant + age + year + surgery),
  heart_cluster = fit(heart, Surv(start, stop, event) ~ transplant + age, cluster = "id"),
  cgd_cluster = fit(cgd, Surv(tstart, tstop, status) ~ treat + age + steroids, cluster = "id"),
  retinopathy_cluster = fit(retinopathy, Surv(futime, status) ~ treated + type + risk, cluster = "id"),
  rats_litter = fit(rats, Surv(time, event) ~ drug + strata(litter)),
  kidney = fit(kidney, Surv(time, event) ~ age + sex + disease),
  mgus2_cause = fit(mgus2, Surv(time, first) ~ age + sex + mspike),
  myeloid_naive = fit(transform(myeloid, ever = as.numeric(!is.na(transplant))), Surv(death_time, death) ~ ever),
  myeloid_switched = fit(times(myeloid), Surv(start, stop, event) ~ switched),
  transplant_death = fit(transform(transplant, dead = as.numeric(event == 2)), Surv(time, dead) ~ age + sex + blood))

# Firth's penalty has no function in survival: the penalised likelihood itself is maximised, with
# coxph's own log likelihood and information at each point, and its profile searched for the limits.
firth <- function(data, formula) {
  at <- function(b) {
    f <- tryCatch(coxph(formula, data, init = b, control = coxph.control(iter.max = 0)), error = function(e) NULL)
    if (is.null(f)) -1e6 else f$loglik[1] - as.numeric(determinant(f$var)$modulus) / 2
  }
  p <- ncol(model.matrix(formula, data)) - 1
  top <- function(fixed = NULL, value = NULL, start = rep(0, p)) {
    free <- setdiff(seq_len(p), fixed)
    full <- function(b) { x <- numeric(p); x[free] <- b; x[fixed] <- value; x }
    if (length(free) == 0) return(list(value = at(full(numeric(0))), par = value))
    if (length(free) == 1) {
      o <- optimize(function(b) at(full(b)), c(-15, 15), maximum = TRUE, tol = 1e-10)
      return(list(value = o$objective, par = full(o$maximum)))
    }
    o <- optim(start[free], function(b) -at(full(b)), method = "BFGS", control = list(reltol = 1e-15, ndeps = rep(1e-5, length(free)), maxit = 500))
    list(value = -o$value, par = full(o$par))
  }
  best <- top()
  covariance <- coxph(formula, data, init = best$par, control = coxph.control(iter.max = 0))$var
  drop <- qchisq(.95, 1) / 2
  limit <- function(k, side) {
    g <- function(v) top(k, v, best$par)$value - (best$value - drop)
    uniroot(g, sort(c(best$par[k], best$par[k] + side * 12 * sqrt(covariance[k, k]))), tol = 1e-8)$root
  }
  list(coefficient = plain(best$par), standard_error = plain(sqrt(diag(covariance))),
       low = I(sapply(seq_len(p), limit, side = -1)), high = I(sapply(seq_len(p), limit, side = 1)),
       p_value = I(sapply(seq_len(p), function(k) pchisq(2 * (best$value - top(k, 0, best$par)$value), 1, lower.tail = FALSE))))
}
separated <- data.frame(time = c(5, 8, 12, 16, 23, 27, 30, 33, 43, 45, 9, 13, 18, 28, 31, 34, 48, 50),
                        event = c(1, 1, 1, 1, 1, 0, 1, 1, 0, 1, rep(0, 8)), group = rep(c(1, 0), c(10, 8)),
                        x = c(3, 1, 2, 5, 4, 2, 6, 1, 3, 2, 2, 4, 1, 3, 5, 2, 4, 1))
penalised <- list(
  separated = firth(separated, Surv(time, event) ~ group),
  separated_two = firth(separated, Surv(time, event) ~ group + x),
  ovarian = firth(transform(ovarian, decades = age / 10), Surv(time, event) ~ decades + residual))

a <- anova(coxph(Surv(time, event) ~ arm + sex, colon, control = exact), coxph(Surv(time, event) ~ arm * sex, colon, control = exact))
write_json(list(R = "4.2.2", survival = "3.5-3", models = models, firth = penalised,
                separated = lapply(separated, plain),
                separated_zph_x = cox.zph(suppressWarnings(coxph(Surv(time, event) ~ group + x, separated)))$table["x", "p"],
                interaction = list(statistic = a$Chisq[2], degrees_of_freedom = a$Df[2], p_value = a[["Pr(>|Chi|)"]][2])), "cox.json")
