from ._batching import epoch_indices as epoch_indices
from ._batching import shuffle as shuffle
from ._digits import digits as digits
from ._fashion_mnist import fashion_mnist as fashion_mnist
from ._fashion_mnist import prepare_fashion_mnist as prepare_fashion_mnist
from ._images import to_float as to_float
from ._kaggle import kaggle_house_prices as kaggle_house_prices
from ._synthetic import synthetic_regression as synthetic_regression
