# R's survfit and survdiff as benchmarks/worker.py runs the others: Rscript worker.R <folder>
# Timed inside R, so that start-up and loading do not count; Sys.time() because system.time()
# is rounded to milliseconds.
suppressPackageStartupMessages(library(survival))
folder <- commandArgs(trailingOnly = TRUE)[1]
column <- function(name) {
  path <- file.path(folder, paste0(name, ".bin"))
  readBin(path, "integer", file.size(path) / 4, size = 4)
}
time <- column("time")
event <- column("event")
group <- factor(column("group"))
milestones <- c(365, 1095, 1826)

number <- function(x) ifelse(is.na(x), "NaN", sprintf("%.17g", x))
since <- function(start) as.numeric(difftime(Sys.time(), start, units = "secs"))
cat(sprintf('{"pid": %d, "version": "R %s, survival %s"}\n', Sys.getpid(),
            getRversion(), packageDescription("survival")$Version))
flush(stdout())
lines <- file("stdin", "r")
while (length(readLines(lines, 1)) > 0) {
  start <- Sys.time()
  curves <- survfit(Surv(time, event) ~ group, conf.type = "log-log")
  survival <- since(start)
  start <- Sys.time()
  test <- survdiff(Surv(time, event) ~ group)
  log_rank <- since(start)
  shown <- summary(curves, times = milestones)
  rows <- paste0("[", number(shown$surv), ", ", number(shown$lower), ", ", number(shown$upper), "]")
  cat(sprintf('{"seconds": {"survival": %s, "log_rank": %s}, "survival": [%s], "statistic": %s}\n',
              number(survival), number(log_rank), paste(rows, collapse = ", "),
              number(test$chisq)))
  flush(stdout())
}
