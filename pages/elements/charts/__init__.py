"""Charts: a result in, a Vega-Lite specification out. Altair is imported here and nowhere else."""
