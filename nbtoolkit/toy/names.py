"""Names of the embedded models and data sets, and the worlds behind them."""

WORLDS = {"toy": "first", "toy-second": "second"}  # data set to its world
SCENES = {"toy": "toy", "toy-plain": "toy-second", "toy-smollm2": "toy-second"}  # model to the data it was trained on
