# What benchmarks/repaint.py compares the Survival page with: the same patients, filters and figure in R Shiny.
# PEER_DATA names a CSV file with ph_status, risk_group, mrd_3_months, time and event, one row per patient.

library(shiny)
library(survival)
library(survminer)

patients <- read.csv(Sys.getenv("PEER_DATA"))
filters <- c("ph_status", "risk_group", "mrd_3_months")

boxes <- lapply(filters, function(name) {
  checkboxGroupInput(name, name, choices = sort(unique(patients[[name]])))
})

ui <- fluidPage(
  titlePanel("Relapse-free survival"),
  sidebarLayout(sidebarPanel(boxes), mainPanel(textOutput("who"), plotOutput("curves", height = 620)))
)

server <- function(input, output) {
  cohort <- reactive({
    kept <- rep(TRUE, nrow(patients))
    for (name in filters) {
      if (length(input[[name]])) kept <- kept & patients[[name]] %in% input[[name]]
    }
    patients[kept, ]
  })
  output$who <- renderText(sprintf("%d of %d patients", nrow(cohort()), nrow(patients)))
  output$curves <- renderPlot({
    shown <- subset(cohort(), mrd_3_months %in% c("negative", "positive") & !is.na(time))
    fit <- survfit(Surv(time, event) ~ mrd_3_months, data = shown, conf.type = "log-log")
    several <- length(unique(shown$mrd_3_months)) > 1
    ggsurvplot(fit, data = shown, risk.table = TRUE, conf.int = TRUE, pval = several)
  })
}

shinyApp(ui, server)
