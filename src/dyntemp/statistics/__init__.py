"""Statistics of measured values: means, paired differences, intervals, quantiles and histograms."""
