"""From a model's hyper-parameters to the Graph of a stage."""
