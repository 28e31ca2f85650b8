# Reference values for competing events: cumulative incidences with their limits, Gray's test.
# R 4.2.2, survival 3.5-3, cmprsk 2.2-11. Run in this folder: reads datasets/*.csv, writes competing.json.
suppressMessages(library(cmprsk))
library(survival)
source("write.R")

read <- function(name) read.csv(file.path("datasets", paste0(name, ".csv")), na.strings = "")
# Months, many ties; decades of age as groups.
mgus2 <- transform(read("mgus2"), decade = as.integer(cut(age, c(0, 60, 70, 80, 120), right = FALSE)))
# Relapse (1), death before it (2) and, in event3, transplant before both (3).
myeloid <- within(read("myeloid"), {
  event <- ifelse(!is.na(relapse), 1, 2 * death)
  time <- ifelse(!is.na(relapse), relapse, death_time)
  early <- !is.na(transplant) & transplant < time
  event3 <- ifelse(early, 3, event)
  time3 <- ifelse(early, transplant, time)
})
transplant <- read("transplant")
pbc <- subset(read("pbc"), !is.na(arm))

# Estimate and variance by cuminc; limits F^exp(+-z se / (F log F)) written out, since neither
# package has them.
incidence <- function(time, event, group, times) {
  fit <- cuminc(time, event, group)
  curves <- setdiff(names(fit), "Tests")
  at <- timepoints(fit[curves], times)
  last <- tapply(time, group, max)
  lapply(curves, function(name) {
    key <- strsplit(name, " ")[[1]]
    f <- at$est[name, ]; v <- at$var[name, ]
    f[times > last[key[1]]] <- NA
    reach <- qnorm(.975) * sqrt(v) / (f * log(f))
    reach[!is.na(f) & f == 0] <- NA
    list(group = key[1], cause = as.integer(key[2]), incidence = plain(f),
         low = plain(f^exp(-reach)), high = plain(f^exp(reach)))
  })
}
at <- list(mgus2 = c(0, 1, 12, 24, 60, 120, 240, 360, 400, 430), myeloid = c(30, 100, 365, 730, 1095, 1826, 3000),
           transplant = c(0, 5, 30, 90, 180, 365, 730, 1500), pbc = c(100, 365, 1095, 1826, 3652, 4600))
curves <- list(
  mgus2 = list(times = plain(at$mgus2), curves = with(mgus2, incidence(time, event, sex, at$mgus2))),
  myeloid = list(times = plain(at$myeloid), curves = with(myeloid, incidence(time, event, arm, at$myeloid))),
  myeloid3 = list(times = plain(at$myeloid), curves = with(myeloid, incidence(time3, event3, arm, at$myeloid))),
  transplant = list(times = plain(at$transplant), curves = with(transplant, incidence(time, event, blood, at$transplant))),
  pbc = list(times = plain(at$pbc), curves = with(pbc, incidence(time, event, arm, at$pbc))))

# Every step of one curve, many ties, by survfit of several states.
steps <- summary(survfit(Surv(time, factor(event, 0:2)) ~ 1, mgus2), times = sort(unique(mgus2$time)))
whole <- list(time = plain(steps$time), n_risk = plain(steps$n.risk[, 1]),
              incidence_1 = plain(steps$pstate[, 2]), incidence_2 = plain(steps$pstate[, 3]))

# Age in months as the time, so that everybody enters late; cuminc takes no entry times.
aged <- transform(mgus2, entry = age * 12, exit = age * 12 + time)
aged <- aged[aged$exit > aged$entry, ]
ages <- c(600, 720, 800, 840, 900, 960, 1080)
late <- lapply(c("F", "M"), function(s) {
  fit <- survfit(Surv(entry, exit, factor(event, 0:2)) ~ 1, aged[aged$sex == s & aged$entry >= 480, ],
                 id = id)
  p <- summary(fit, times = ages)
  list(group = s, incidence_1 = plain(p$pstate[, 2]), incidence_2 = plain(p$pstate[, 3]))
})

gray <- function(data, time, event, group, strata = NULL) {
  s <- if (is.null(strata)) rep(1, nrow(data)) else data[[strata]]
  tests <- cuminc(data[[time]], data[[event]], data[[group]], s)$Tests
  tests <- tests[rownames(tests) != "0", , drop = FALSE]
  # cuminc answers a singular variance with -1.
  none <- is.na(tests[, "stat"]) | tests[, "stat"] < 0
  tests[none, c("stat", "pv")] <- NA
  list(time = time, event = event, by = group, strata = strata,
       cause = plain(as.integer(rownames(tests))), statistic = plain(tests[, "stat"]),
       p_value = plain(tests[, "pv"]), df = plain(tests[, "df"]))
}
tests <- list(
  mgus2 = list(gray(mgus2, "time", "event", "sex"), gray(mgus2, "time", "event", "sex", "decade"),
               gray(mgus2, "time", "event", "decade"), gray(mgus2, "time", "event", "decade", "sex")),
  myeloid = list(gray(myeloid, "time", "event", "arm"), gray(myeloid, "time3", "event3", "arm"),
                 gray(myeloid, "time3", "event3", "arm", "sex")),
  transplant = list(gray(transplant, "time", "event", "blood"),
                    gray(transplant, "time", "event", "blood", "sex"),
                    gray(transplant, "time", "event", "sex", "year")),
  pbc = list(gray(pbc, "time", "event", "arm"), gray(pbc, "time", "event", "stage", "arm")))

# Few patients and many ties: groups without an event, groups gone before the first one, strata
# without a group.
set.seed(4)
small <- lapply(1:24, function(k) {
  n <- 6 + k
  d <- data.frame(t = sample(1:(3 + k %/% 2), n, TRUE), e = sample(0:2, n, TRUE, c(.3, .3 + .02 * (k %% 5), .3)),
                  g = sample(letters[1:(2 + k %% 3)], n, TRUE), s = sample(1:(1 + k %% 2), n, TRUE))
  c(list(rows = lapply(d, plain)), gray(d, "t", "e", "g", "s"))
})

# Relapse from complete response on, arm A, death competing: and what it is mistaken for.
a <- subset(myeloid, arm == "A" & !is.na(complete_response))
a$time <- a$time - a$complete_response
naive <- list(
  incidence = timepoints(cuminc(a$time, a$event), 1095)$est[1, 1],
  one_less_km = 1 - summary(survfit(Surv(time, event == 1) ~ 1, a), times = 1095)$surv)

write_json(list(
  R = "4.2.2", survival = "3.5-3", cmprsk = "2.2-11", curves = curves, whole = whole,
  late = list(ages = plain(ages), curves = late), tests = tests, small = small, naive = naive),
  "competing.json")
