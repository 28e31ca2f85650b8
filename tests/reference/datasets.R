# Data sets of R's survival package (3.5-3, R 4.2.2) that the reference programs read.
# Run in this folder: writes datasets/*.csv. Times in days (kidney, bladder, cgd, rats: as given);
# event codes 0 censored, 1 event, 2 competing. Nothing is changed but names and codes.
library(survival)
save <- function(x, name) write.csv(x, file.path("datasets", paste0(name, ".csv")), row.names = FALSE, quote = FALSE, na = "")

save(with(ovarian, data.frame(time = futime, event = fustat, age, residual = resid.ds, arm = rx, ecog = ecog.ps)), "ovarian")
save(with(kidney, data.frame(id, time, event = status, age, sex, disease, frail)), "kidney")
save(with(bladder1[bladder1$enum == 1, ], data.frame(id, treatment, number, size, stop, status, recur)), "bladder")
save(with(subset(colon, etype == 1), data.frame(id, arm = rx, sex, age, obstruct, perfor, adhere, nodes, differ, extent, surgery = surg, node4, time, event = status)), "colon")
save(with(mgus2, {
  progressed <- pstat == 1
  data.frame(id, age, sex, hgb, creat, mspike, time = ifelse(progressed, ptime, futime),
             event = ifelse(progressed, 1, 2 * death), death_time = futime, death)
}), "mgus2")
save(with(myeloid, data.frame(id, arm = trt, sex, death_time = futime, death, transplant = txtime, complete_response = crtime, relapse = rltime)), "myeloid")
save(with(rotterdam, data.frame(id = pid, year, age, meno, size, grade, nodes, pgr, er, hormon, chemo, rtime, recur, dtime, death)), "rotterdam")
save(with(gbsg, data.frame(id = pid, age, meno, size, grade, nodes, pgr, er, hormon, time = rfstime, event = status)), "gbsg")
save(with(pbc, data.frame(id, time, event = c(0, 2, 1)[status + 1], arm = trt, age, sex, ascites, hepato, spiders, edema, bili, albumin, protime, stage)), "pbc")
save(with(retinopathy, data.frame(id, laser, eye, age, type, treated = trt, futime, status, risk)), "retinopathy")
save(with(jasa, data.frame(id = seq_along(age), age, surgery, wait = wait.time, time = futime, event = fustat, transplant)), "stanford")
save(heart, "heart")
save(with(transplant, data.frame(age, sex, blood = abo, year, time = futime, event = match(event, c("censored", "ltx", "death", "withdraw")) - 1)), "transplant")
save(with(cgd, data.frame(id, treat, sex, age, steroids, propylac, tstart, tstop, status, enum)), "cgd")
save(with(rats, data.frame(litter, drug = rx, time, event = status, sex)), "rats")
