"""Virtual clinical trials on tables of predictions: splits, statistics, verdicts and reports.

Works on anybody's predictions. It sees tables only, never an image or a network.
"""
