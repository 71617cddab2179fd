# %% [markdown]
# # 4.6 Generalisation in classification
#
# How far can a measured error rate be trusted? For one fixed classifier and fresh test data the central limit theorem
# and Hoeffding's inequality answer. For many classifiers measured on the same data, or for one that was chosen by
# looking at the data, the answer depends on how many there were, or on how much the class of models can express.

# %%
# %matplotlib inline
import itertools

import jax
import numpy as np
import optax

from jaxd2l import data, losses, models, plots, train
from jaxd2l.book import distribution_shift, generalization
from jaxd2l.models.linear import linear

# %% [markdown]
# ## The test set
#
# The **population error** of a classifier $f$ is the probability of being wrong,
# $\epsilon(f) = P(f(\mathbf{x}) \neq y)$. Its estimate is the **empirical error** on $n$ test examples,
#
# $$\epsilon_\mathcal{D}(f) = \frac{1}{n} \sum_{i=1}^n \mathbf{1}(f(\mathbf{x}^{(i)}) \neq y^{(i)}),$$
#
# a mean of $n$ outcomes that are 0 or 1. Each has variance $\epsilon (1 - \epsilon) \le 1/4$, so the mean has a
# standard deviation of at most $0.5 / \sqrt{n}$. How many examples make that 0.01? And two standard deviations?

# %%
print("one standard deviation: ", generalization.sample_size(0.01))
print("two standard deviations:", generalization.sample_size(0.01, num_deviations=2.0))

# %% [markdown]
# The central limit theorem promises that one standard deviation holds in 68% of cases and two in 95%. Ten thousand test
# sets of each size, for a classifier that is wrong half of the time, which is the worst case:

# %%
rng = np.random.default_rng(0)
for n, deviations in ((2500, 1), (10000, 2)):
    measured = rng.binomial(n, 0.5, size=10000) / n
    print(f"n = {n:5}: within 0.01 in {(abs(measured - 0.5) <= 0.01).mean():.1%} of test sets ({deviations} sd)")

# %% [markdown]
# The theorem holds in the limit of large $n$. Hoeffding's inequality holds for every $n$,
#
# $$P(\epsilon_\mathcal{D}(f) - \epsilon(f) \ge t) < \exp(-2 n t^2),$$
#
# and asks for more: about 15000 examples to be within 0.01 with a confidence of 95%.

# %%
print(generalization.hoeffding_sample_size(0.01, confidence=0.95))

# %% [markdown]
# Fashion-MNIST's test set has 10000 images, so that an error rate measured on it is good to 0.01, with two standard
# deviations. A digit more would need a hundred times as many. For softmax regression:

# %%
dataset = data.fashion_mnist()
model = models.softmax_regression(784, 10)
key = jax.random.key(0)
state, _ = train.fit(model, losses.cross_entropy, optax.sgd(0.1), dataset, key=key, epochs=5, batch_size=256)
_, accuracy = train.evaluate(model, losses.cross_entropy, state.params, dataset.test)
n, error = len(dataset.test.labels), 1 - float(accuracy)
print(f"n = {n}: error {error:.2f}")
print(f"two sd: {2 * 0.5 / n**0.5:.3f} at most, {2 * (error * (1 - error) / n) ** 0.5:.3f} at this error")

# %% [markdown]
# All of these shrink with $1/\sqrt{n}$, straight lines of slope -1/2 in logarithmic axes: half the interval takes four
# times the data. What ten thousand test sets of each size show lies on the line of one standard deviation.

# %%
sizes = np.array([100, 300, 1000, 3000, 10000, 30000])
spread = [np.std(rng.binomial(n, 0.5, size=10000) / n) for n in sizes]
plots.lines(
    sizes,
    {
        "1 sd": 0.5 / np.sqrt(sizes),
        "2 sd": 1.0 / np.sqrt(sizes),
        "sd of 10000 test sets": spread,
        "Hoeffding, 95%": np.sqrt(np.log(20) / (2 * sizes)),
    },
    xlabel="test examples n",
    ylabel="half width of the interval",
    xscale="log",
    yscale="log",
)

# %% [markdown]
# ## Test set reuse
#
# All this is about one classifier, fixed before it met the test set. Take $k$ classifiers that guess at random, all
# wrong half of the time, and keep the one that does best on a test set of 1000 examples. The more there are, the better
# the luckiest of them looks:

# %%
labels = rng.integers(0, 2, 1000)
guesses = rng.integers(0, 2, (10000, 1000))
error_of_each = (guesses != labels).mean(1)
fresh = rng.integers(0, 2, 1000)
for k in (1, 10, 100, 1000, 10000):
    best = error_of_each[:k].argmin()
    print(
        f"best of {k:5}: error {error_of_each[best]:.3f}, on new data {(guesses[best] != fresh).mean():.3f}; "
        f"for +-0.01 need n = {generalization.hoeffding_sample_size(0.01, confidence=1 - 0.05 / k)}"
    )

# %% [markdown]
# The last column keeps the risk that any of $k$ errors is misjudged below 5%: the price grows with $\log k$ only. But
# it counts classifiers fixed in advance. If each is made after looking at the last one's test error, nothing is
# promised, and exercise 2 shows what can happen. A test set is best used once.
#
# ## Statistical learning theory
#
# A model that is trained is chosen from a whole class, and no test set is needed to promise something about all members
# at once, if the class is not too rich. Its **VC dimension** is the largest number of points that it **shatters**:
# labels them in all $2^n$ ways. Linear classifiers in $d$ dimensions have VC dimension $d + 1$. In the plane: three
# points, but not four.


# %%
def labellings_found(points):
    """How many of the 2^n labellings of some points a linear classifier can reproduce."""
    found = 0
    for labels in itertools.product([False, True], repeat=len(points)):
        labels = np.array(labels)
        if labels.all() or not labels.any():
            found += 1  # a large bias alone does it
            continue
        line = distribution_shift.fit_domain_classifier(points[~labels], points[labels], l2=1e-4)
        found += bool(((np.asarray(linear(line, points))[:, 0] > 0) == labels).all())
    return found


square = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
print("three corners of a square:", labellings_found(square[:3]), "of", 2**3)
print("four corners of a square: ", labellings_found(square), "of", 2**4)

# %% [markdown]
# The two that are missing give opposite corners the same label: the exclusive or, which needs a hidden layer
# (section 5.1). The theory bounds the gap between training and population error by something that grows with
# $\sqrt{\mathrm{VC} / n}$. Deep networks have far more parameters than examples, fit random labels, and generalise
# nonetheless (section 5.5): for them such bounds are true and say nothing.
#
# ## Exercises
#
# **1. How many samples estimate the error of a fixed model to within 0.0001 with a probability above 99.9%?** By
# Hoeffding, in one direction and (half the risk for each) in both:

# %%
print("one-sided:", generalization.hoeffding_sample_size(0.0001, confidence=0.999))
print("two-sided:", generalization.hoeffding_sample_size(0.0001, confidence=0.9995))

# %% [markdown]
# **2. Someone has the labels of a test set and tells you the error of any model that you hand in. After how many models
# do you have all labels?** With two classes after $n + 1$ at most. Hand in all zeros, then change one answer at a time:
# the error falls where the label is 1. The error of the result is 0, and its answers on other data are worthless.

# %%
secret = rng.integers(0, 2, 200)
num_queries = 0


def error_of(answers):
    global num_queries
    num_queries += 1
    return (answers != secret).mean()


answers = np.zeros(200, int)
reference = error_of(answers)
changes = np.eye(200, dtype=int)
stolen = np.array([error_of(change) < reference for change in changes]).astype(int)
print("models handed in:", num_queries, " error now:", (stolen != secret).mean())

# %% [markdown]
# **3. What is the VC dimension of the polynomials of fifth order?** Six. A polynomial with six coefficients goes
# through any values at six points, so that its sign can take all 64 patterns:

# %%
x = np.linspace(-1, 1, 6, dtype=np.float32)
features = np.asarray(generalization.polynomial_features(x, 5), np.float64)
patterns = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))
coefficients = np.linalg.solve(features, patterns.T)
print((patterns == np.sign(features @ coefficients).T).all(axis=1).sum(), "of", len(patterns))

# %% [markdown]
# Seven points with alternating labels would need six changes of sign, and a fifth-order polynomial has five roots.
#
# **4. What is the VC dimension of axis-aligned rectangles in the plane?** Four. The smallest rectangle around the
# positive points must not hold a negative one. Four points in a diamond can be labelled in all ways. Of any five, those
# that reach furthest left, right, up and down span a rectangle that holds the fifth.


# %%
def by_rectangles(points):
    found = 0
    for labels in itertools.product([False, True], repeat=len(points)):
        positive, negative = points[np.array(labels)], points[~np.array(labels)]
        inside = (negative >= positive.min(0, initial=np.inf)) & (negative <= positive.max(0, initial=-np.inf))
        found += not inside.all(1).any()
    return found


diamond = np.array([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])
print("diamond:", by_rectangles(diamond), "of", 2**4)
print("five random points shattered:", any(by_rectangles(rng.normal(size=(5, 2))) == 2**5 for _ in range(1000)))

# %% [markdown]
# ## Summary
#
# A test error of a fixed classifier is good to $\pm 0.5 / \sqrt{n}$, once. Each further classifier that is measured on
# the same data makes the promise weaker, and choosing by it makes it worthless. Classical theory buys promises about
# all members of a class by limiting what the class can express; deep learning needs another explanation.
