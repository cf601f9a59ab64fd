"""Examples -> adapter. `datasets` stores, `hyperparameters` checks, `estimate` foretells, `train_job` trains."""
