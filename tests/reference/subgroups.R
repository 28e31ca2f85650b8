# Reference values of one comparison in subgroups: coxph in each, and anova for the interaction.
# R 4.2.2, survival 3.5-3. Run in this folder: reads datasets/*.csv, writes subgroups.json.
library(survival)
source("write.R")
read <- function(name) read.csv(file.path("datasets", paste0(name, ".csv")), stringsAsFactors = TRUE)
exact <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 50)

row <- function(data, variable, level) {
  f <- coxph(Surv(time, event) ~ contrast, data, control = exact)
  s <- summary(f)
  list(variable = variable, level = level, n = f$n, n_event = f$nevent,
       n_1 = sum(data$contrast == 0), n_event_1 = sum(data$event[data$contrast == 0]),
       n_2 = sum(data$contrast == 1), n_event_2 = sum(data$event[data$contrast == 1]),
       hazard_ratio = unname(exp(coef(f))), low = s$conf.int[, 3], high = s$conf.int[, 4],
       p_value = s$coefficients[, 5])
}
subgroups <- function(data, contrast, variables) {
  data$contrast <- as.numeric(data[[contrast]])
  rows <- list(row(data, "", ""))
  tests <- list()
  for (v in variables) {
    known <- data[!is.na(data[[v]]), ]
    known$v <- factor(known[[v]])
    for (level in levels(known$v)) rows <- c(rows, list(row(known[known$v == level, ], v, level)))
    a <- anova(coxph(Surv(time, event) ~ contrast + v, known, control = exact),
               coxph(Surv(time, event) ~ contrast * v, known, control = exact))
    tests <- c(tests, list(list(variable = v, n_missing = nrow(data) - nrow(known), statistic = a$Chisq[2],
                                degrees_of_freedom = a$Df[2], p_value = a[["Pr(>|Chi|)"]][2])))
  }
  list(rows = rows, interactions = tests)
}

colon <- transform(read("colon"), treated = arm == "Lev+5FU", old = age >= 61)
gbsg <- transform(read("gbsg"), large = size >= 25)
# One level of a variable without any event: R's own test counts a degree of freedom for it, so the
# rows of that level are left out here, which leaves the statistic as it is.
quiet <- transform(colon, event = ifelse(extent == 4, 0, event))
a <- anova(coxph(Surv(time, event) ~ treated + factor(extent), quiet[quiet$extent != 4, ], control = exact),
           coxph(Surv(time, event) ~ treated * factor(extent), quiet[quiet$extent != 4, ], control = exact))
write_json(list(R = "4.2.2", survival = "3.5-3",
                colon = subgroups(colon, "treated", c("sex", "differ", "extent", "obstruct", "old")),
                gbsg = subgroups(gbsg, "hormon", c("meno", "grade", "large")),
                quiet_level = list(statistic = a$Chisq[2], degrees_of_freedom = a$Df[2], p_value = a[["Pr(>|Chi|)"]][2])),
           "subgroups.json")
