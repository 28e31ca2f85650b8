"""Speed and error rates of the statistics beside lifelines, scikit-survival and R."""
