# Reference values for rates, their differences and trends, paired results, agreement and Table 1.
# R 4.2.2, vcd 1.4-11 (Kappa). Run in this folder: reads datasets/*.csv, writes rates.json.
source("write.R")

read <- function(name) read.csv(file.path("datasets", paste0(name, ".csv")))
colon <- read("colon"); pbc <- read("pbc"); gbsg <- read("gbsg")
retinopathy <- read("retinopathy"); transplant <- read("transplant")
rows <- function(m) lapply(seq_len(nrow(m)), function(i) plain(m[i, ]))

# Events of patients by group.
by_group <- function(event, group) {
  known <- !is.na(group)
  list(count = unname(as.vector(tapply(event[known], group[known], sum))),
       total = unname(as.vector(table(group[known]))))
}
rates <- list(
  colon_arm = by_group(colon$event, colon$arm), colon_extent = by_group(colon$event, colon$extent),
  colon_differ = by_group(colon$event, colon$differ), pbc_stage = by_group(pbc$event == 1, pbc$stage),
  pbc_sex = by_group(pbc$event == 1, pbc$sex), gbsg_grade = by_group(gbsg$event, gbsg$grade),
  gbsg_hormon = by_group(gbsg$event, gbsg$hormon),
  transplant_year = by_group(transplant$event == 2, transplant$year),
  transplant_blood = by_group(transplant$event == 1, transplant$blood),
  retinopathy_treated = by_group(retinopathy$status, retinopathy$treated))

wilson <- function(x, n, level) suppressWarnings(prop.test(x, n, conf.level = level, correct = FALSE))$conf.int
proportions <- unlist(lapply(rates, function(r) lapply(seq_along(r$count), function(i) list(
  count = r$count[i], total = r$total[i],
  exact = plain(binom.test(r$count[i], r$total[i])$conf.int),
  wilson = plain(wilson(r$count[i], r$total[i], 0.95))))), recursive = FALSE)

# R has no hybrid score interval: Newcombe (1998), independent method 10 and paired method 10,
# written out with prop.test's Wilson limits. A correlation of 0 gives the former.
hybrid <- function(x1, n1, x2, n2, level, phi = 0) {
  p1 <- x1 / n1; p2 <- x2 / n2
  w1 <- wilson(x1, n1, level); w2 <- wilson(x2, n2, level)
  # prop.test leaves 1e-17 instead of 0.
  if (x1 == 0) w1[1] <- 0; if (x1 == n1) w1[2] <- 1; if (x2 == 0) w2[1] <- 0; if (x2 == n2) w2[2] <- 1
  side <- function(a, b) sqrt(a^2 - 2 * phi * a * b + b^2)
  c(p1 - p2 - side(p1 - w1[1], w2[2] - p2), p1 - p2 + side(w1[2] - p1, p2 - w2[1]))
}
pairs <- c(
  lapply(list(rates$colon_arm, rates$pbc_sex, rates$gbsg_hormon, rates$retinopathy_treated, rates$transplant_blood),
         function(r) c(r$count[1], r$total[1], r$count[2], r$total[2])),
  # Table II of Newcombe (1998).
  list(c(56, 70, 48, 80), c(9, 10, 3, 10), c(6, 7, 2, 7), c(5, 56, 0, 29), c(0, 10, 0, 20),
       c(0, 10, 0, 10), c(10, 10, 0, 20), c(10, 10, 0, 10)),
  list(c(1, 1, 0, 1), c(0, 1, 1, 1), c(3, 3, 5, 5)))
differences <- lapply(pairs, function(x) list(
  counts = plain(x), difference = x[1] / x[2] - x[3] / x[4],
  limits = plain(hybrid(x[1], x[2], x[3], x[4], 0.95)), limits_90 = plain(hybrid(x[1], x[2], x[3], x[4], 0.9))))

trend <- function(r, score = seq_along(r$count)) {
  test <- prop.trend.test(r$count, r$total, score)
  slope <- coef(lm(r$count / r$total ~ score, weights = r$total))[2]
  list(count = plain(r$count), total = plain(r$total), score = plain(score),
       statistic = unname(test$statistic), p_value = test$p.value,
       direction = if (slope > 0) "rising" else "falling")
}
trends <- list(
  trend(rates$colon_extent), trend(rates$colon_differ), trend(rates$pbc_stage), trend(rates$gbsg_grade),
  trend(rates$gbsg_hormon), trend(rates$transplant_year, as.numeric(sort(unique(transplant$year)))),
  trend(rates$pbc_stage, c(1, 2, 4, 8)), trend(rates$pbc_stage, c(0.5, -0.25, -1, -3.5)),
  trend(list(count = c(83, 90, 129, 70), total = c(86, 93, 136, 82))), # the example of ?prop.trend.test
  trend(list(count = c(0, 1, 3), total = c(4, 4, 4))), trend(list(count = c(0, 1), total = c(1, 1))))

phi <- function(m) {
  a <- m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]; margins <- prod(rowSums(m), colSums(m))
  if (margins == 0) 0 else (if (a > 0) max(a - sum(m) / 2, 0) else a) / sqrt(margins)
}
paired <- function(m) {
  n <- sum(m); x1 <- sum(m[1, ]); x2 <- sum(m[, 1]); discordant <- m[1, 2] + m[2, 1]
  list(table = rows(m), difference = (x1 - x2) / n,
       limits = plain(hybrid(x1, n, x2, n, 0.95, phi(m))), limits_90 = plain(hybrid(x1, n, x2, n, 0.9, phi(m))),
       p_value = if (discordant > 0) binom.test(m[1, 2], discordant)$p.value,
       asymptotic = if (discordant > 0) mcnemar.test(m)$p.value)
}
two <- function(x, y) table(factor(x, c(1, 0)), factor(y, c(1, 0)))
# Both eyes of one patient, one of them treated with the laser.
eyes <- merge(retinopathy[retinopathy$treated == 0, ], retinopathy[retinopathy$treated == 1, ],
              by = c("id", "type"), suffixes = c("_untreated", "_treated"))
mcnemar <- lapply(c(
  list(two(eyes$status_untreated, eyes$status_treated), two(pbc$ascites, pbc$hepato),
       two(pbc$hepato, pbc$spiders), two(colon$obstruct, colon$adhere), two(colon$node4, colon$surgery)),
  # The first is Newcombe's (1998) own example.
  list(rbind(c(36, 12), c(2, 0)), rbind(c(5, 0), c(0, 5)), rbind(c(7, 0), c(0, 0)), rbind(c(0, 4), c(0, 0)),
       rbind(c(0, 3), c(3, 0)), rbind(c(20, 1), c(9, 3)), rbind(c(0, 0), c(1, 0)), rbind(c(53, 1), c(0, 0)))), paired)
change <- lapply(split(eyes, eyes$type), function(e) {
  # No loss of sight stands for negative; change is the treated eye less the untreated.
  m <- two(1 - e$status_treated, 1 - e$status_untreated); p <- paired(m)
  list(n = nrow(e), first = sum(m[, 1]), second = sum(m[1, ]), gained = m[1, 2], lost = m[2, 1],
       change = p$difference, limits = p$limits, p_value = p$p_value)
})

agreement <- function(m) {
  # confint.Kappa writes the Wald limits of value and ASE.
  k <- vcd::Kappa(m); limits <- function(level) confint(k, level = level)["Unweighted", ]
  p <- m / sum(m)
  list(table = rows(m), kappa = unname(k$Unweighted["value"]), standard_error = unname(k$Unweighted["ASE"]),
       limits = plain(limits(0.95)), limits_90 = plain(limits(0.9)),
       observed = sum(diag(p)), expected = sum(rowSums(p) * colSums(p)))
}
quarter <- function(x) cut(x, c(-1, quantile(x, c(.25, .5, .75)), Inf), labels = 1:4)
kappa <- lapply(list(
  two(eyes$status_untreated, eyes$status_treated), two(pbc$hepato, pbc$spiders),
  table(factor(eyes$risk_untreated, 6:12), factor(eyes$risk_treated, 6:12)),
  table(quarter(gbsg$pgr), quarter(gbsg$er)), table(factor(colon$differ, 1:4), factor(colon$extent, 1:4)),
  rbind(c(44, 5, 1), c(7, 20, 3), c(9, 5, 6)), rbind(c(0, 4), c(3, 0)), rbind(c(5, 1), c(0, 0)),
  rbind(c(30, 1), c(0, 1)), rbind(c(8, 0, 0), c(1, 6, 0), c(0, 0, 0)), rbind(c(9, 1), c(1, 0))), agreement)

exact <- lapply(list(
  with(colon[colon$obstruct == 1, ], table(arm, differ)), table(colon$extent, colon$arm), table(pbc$stage, pbc$edema), table(gbsg$grade, gbsg$hormon),
  table(gbsg$grade, gbsg$meno), table(transplant$sex, transplant$blood), table(pbc$stage, pbc$sex),
  table(colon$obstruct, colon$perfor), table(pbc$ascites, pbc$spiders), table(gbsg$meno, gbsg$hormon)), function(m) {
  test <- fisher.test(m, workspace = 2e8)
  # The search for the estimate stops at about 1e-4.
  list(table = rows(m), p_value = test$p.value, odds_ratio = if (all(dim(m) == 2)) unname(test$estimate))
})

# Table 1 of three data sets, and standardised differences with weights of 1 to 3 patients.
weight <- function(n) 1 + (seq_len(n) * 7) %% 3 + (seq_len(n) %% 10) / 10
number <- function(x, g, w) {
  parts <- lapply(split(seq_along(x), g), function(i) {
    i <- i[!is.na(x[i])]; cov.wt(cbind(x[i]), w[i] / sum(w[i]), method = "unbiased")
  })
  abs(parts[[1]]$center - parts[[2]]$center) / sqrt((parts[[1]]$cov[1] + parts[[2]]$cov[1]) / 2)
}
# No function of R has these: Yang and Dalton (2012), with weighted proportions.
category <- function(x, g, w) {
  p <- prop.table(xtabs(w ~ x + g), 2)[-1, , drop = FALSE]; a <- p[, 1]; b <- p[, 2]
  s <- (diag(a, length(a)) - a %o% a + diag(b, length(b)) - b %o% b) / 2
  sqrt(drop((a - b) %*% solve(s) %*% (a - b)))
}
table_one <- lapply(list(
  list("pbc", pbc, "arm", c("age", "bili", "albumin", "protime"), c("stage", "edema", "sex")),
  list("colon", colon, "sex", c("age", "nodes"), c("differ", "arm", "obstruct")),
  list("gbsg", gbsg, "hormon", c("age", "size", "pgr"), c("grade", "meno")),
  list("transplant", transplant, "sex", c("age", "time"), c("blood"))), function(one) {
  d <- one[[2]][!is.na(one[[2]][[one[[3]]]]), ]; g <- factor(d[[one[[3]]]]); w <- weight(nrow(d)); even <- rep(1, nrow(d))
  numbers <- lapply(one[[4]], function(v) list(
    variable = v, p_value = wilcox.test(d[[v]] ~ g, exact = FALSE)$p.value,
    smd = number(d[[v]], g, even), weighted = number(d[[v]], g, w),
    missing = sum(is.na(d[[v]])), quantiles = plain(quantile(d[[v]], na.rm = TRUE))))
  categories <- lapply(one[[5]], function(v) list(
    variable = v, p_value = fisher.test(d[[v]], g, workspace = 2e8)$p.value,
    smd = category(d[[v]], g, even), weighted = category(d[[v]], g, w), missing = sum(is.na(d[[v]]))))
  list(data = one[[1]], by = one[[3]], number = numbers, category = categories)
})
kruskal <- list(pbc_bili_by_stage = kruskal.test(pbc$bili, pbc$stage)$p.value,
                gbsg_pgr_by_grade = kruskal.test(gbsg$pgr, gbsg$grade)$p.value,
                colon_nodes_by_extent = kruskal.test(colon$nodes, colon$extent)$p.value)

write_json(list(
  R = "4.2.2", vcd = "1.4-11", proportions = unname(proportions), differences = differences, trends = trends,
  mcnemar = mcnemar, change = change, kappa = kappa, fisher = exact, table_one = table_one, kruskal = kruskal), "rates.json")
