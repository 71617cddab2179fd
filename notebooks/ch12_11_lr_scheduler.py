# %% [markdown]
# # 12.11 Learning-rate schedules
#
# How long the steps are matters as much as their direction: too long and training diverges, too short and it takes for
# ever, and in the end they must get shorter. You will write the book's schedules as functions of the step, check them
# against PyTorch's, train LeNet with each, and meet warm-up and clipping. [The book's
# section](https://d2l.ai/chapter_optimization/lr-scheduler.html) discusses when to prefer which.

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, losses, models, optim, plots, schedules, train
from jaxd2l.train.sweep import sweep
from jaxd2l.types import Batch, Dataset

# %% [markdown]
# ## A schedule is a function
#
# In JAX a schedule is a pure function from the number of the step to the rate. Any optimiser of `optim` or optax takes
# one in place of a number, and the compiled program contains it. Here is the square root that section 12.4 recommended,
# $\eta_t = \eta_0 (t + 1)^{-1/2}$. It serves torch just as well, as a `LambdaLR`:


# %%
def inverse_square_root(t):
    return 0.1 * (t + 1.0) ** -0.5


# %%
# %%torch
import torch


def torch_rates(make, steps, base):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(rates)


t = np.arange(30)
ours = inverse_square_root(t)
packaged = schedules.inverse_square_root(0.1)(t)
by_torch = torch_rates(lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: (t + 1) ** -0.5), 30, 0.1)
print("at 0, 1, 3, 8, 29:", ours[[0, 1, 3, 8, 29]].round(4))
print("as in the package:", np.allclose(ours, packaged), " as in torch:", np.allclose(ours, by_torch))

# %% [markdown]
# ## The book's schedules
#
# **Factor**: $\eta_{t} = \max(\eta_\text{min}, \eta_0 \alpha^t)$. **Several steps**: halve the rate at given times.
# **Cosine**: half a cosine from $\eta_0$ to $\eta_T$,
#
# $$\eta_t = \eta_T + \frac{\eta_0 - \eta_T}{2} \left(1 + \cos \frac{\pi t}{T}\right),$$
#
# and $\eta_T$ from then on. **Warm-up** goes up in a line before that, because the first parameters are random, and so
# are their gradients.


# %%
def factor(t):
    return np.maximum(2.0 * 0.9**t, 0.01)


def multi_step(t):
    return 0.5 * 0.5 ** ((t >= 15).astype(int) + (t >= 30))


def cosine(t, base=0.3, final=0.01, steps=20, warmup=0):
    falling = final + (base - final) / 2 * (1 + np.cos(np.pi * np.clip((t - warmup) / (steps - warmup), 0, 1)))
    return np.where(t < warmup, base * t / max(warmup, 1), falling)


t = np.arange(60)
pairs = {
    "factor": (factor(t), schedules.factor(2.0, 0.9, floor=0.01)(t)),
    "multi-step": (multi_step(t), schedules.multi_step_lr(0.5, [15, 30], gamma=0.5)(t)),
    "cosine": (cosine(t), schedules.cosine_with_warmup(0.3, 20, final=0.01)(t)),
    "warm-up": (cosine(t, warmup=5), schedules.cosine_with_warmup(0.3, 20, final=0.01, warmup_steps=5)(t)),
}
for name, (ours, packaged) in pairs.items():
    some = " ".join(f"{rate:.4f}" for rate in ours[[0, 1, 5, 10, 15, 20, 51]])
    print(f"{name:10} {some}  as in the package: {np.allclose(ours, packaged, atol=1e-6)}")
shown = {name: ours[:35] for name, (ours, _) in pairs.items() if name != "factor"}
plots.lines(t[:35], shown, xlabel="step or epoch", ylabel="learning rate")

# %% [markdown]
# optax has the same cosines: its 20 includes the warm-up, too. torch's `CosineAnnealingLR` rises again after $T$, where
# the book's and optax's stay down:

# %%
by_optax = optax.warmup_cosine_decay_schedule(0.0, 0.3, 5, 20, 0.01)(t)
print("optax, with warm-up:", np.allclose(pairs["warm-up"][0], by_optax, atol=1e-6))

# %%
# %%torch
by_torch = torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.01), 41, 0.3)
print(
    f"after 20 and 29 steps: book {cosine(t)[20]:.4f} {cosine(t)[29]:.4f}, torch {by_torch[20]:.4f} {by_torch[29]:.4f}"
)
print(
    "schedules.cosine_annealing_lr:",
    np.allclose(by_torch, schedules.cosine_annealing_lr(0.3, 20, eta_min=0.01)(t[:41])),
)

# %% [markdown]
# ### Off by one
#
# When is a schedule asked? Rate $t$, counted from 0, should be used *in* step $t$. In torch that is so if the
# scheduler's `step()` comes after the optimiser's. The book's own loop sets the rate of epoch $e$ to `scheduler(e -
# 1)`, and in the first epoch trains with the optimiser's rate: a warm-up of five epochs runs with 0.3, **0**, 0.06, ...
# And a scheduler that counts its calls, as the book's first one does, begins at 1.8 and not at 2, and has counted on if
# it was drawn before training. A pure function cannot be used up.
#
# ## Training
#
# The book's LeNet for this section, with relu and the largest value of each window, on 12,800 images of Fashion-MNIST,
# tested on 2,000: 10 epochs of 50 steps, so the schedules, which are given in epochs, are asked for step divided by 50.

# %%
fashion = data.fashion_mnist()
small = Dataset(*(Batch(*(part[:n] for part in batch)) for n, batch in zip((12_800, 2_000), fashion, strict=False)))
model = models.lenet(activation=jax.nn.relu, pool=models.max_pool)


def per_epoch(rate):
    return lambda step: rate(step / 50)


choices = {
    "constant 0.3": lambda epoch: 0.3 + 0.0 * epoch,
    "multi-step": schedules.multi_step_lr(0.3, [5, 8], gamma=0.3),
    "warm-up": schedules.cosine_with_warmup(0.3, 10, final=0.01, warmup_steps=2),
}
histories = {}
for name, rate in choices.items():
    tx = optim.sgd(per_epoch(rate))
    _, histories[name] = train.fit(
        model, losses.cross_entropy, tx, small, key=jax.random.key(0), epochs=10, batch_size=256
    )
    history = histories[name]
    last = history.test_accuracy[-3:]
    print(
        f"{name:13} test accuracy {last.mean():.2f} in the last three epochs, from {last.min():.2f} to {last.max():.2f}"
    )

# %%
epochs = np.arange(1, 11)
plots.lines(epochs, {name: h.test_accuracy for name, h in histories.items()}, xlabel="epoch", ylabel="test accuracy")

# %%
plots.lines(
    epochs, {name: h.train_loss for name, h in histories.items()}, xlabel="epoch", ylabel="training loss", yscale="log"
)

# %% [markdown]
# With a constant rate the accuracy jumps up and down until the end. It calms down as soon as the rate falls: after 5
# and 8 epochs for multi-step, little by little for the cosine, which the warm-up delays at the start.
#
# ## Clipping
#
# Another way to keep steps in bounds: if the norm of the whole gradient is larger than a limit, scale it down to that.
# torch divides by the norm plus $10^{-6}$, optax by the norm.

# %%
gradient = jnp.array([3.0, 4.0])

# %%
# %%torch
torch_parameter = torch.zeros(2, requires_grad=True)
torch_parameter.grad = torch.tensor([3.0, 4.0])
torch.nn.utils.clip_grad_norm_([torch_parameter], 1.0)
for name, tx in {"optim": optim.clip_grad_norm(1.0), "optax": optax.clip_by_global_norm(1.0)}.items():
    print(f"{name}: {[f'{g:.7f}' for g in tx.update(gradient, tx.init(gradient))[0].tolist()]}")
print(f"torch: {[f'{g:.7f}' for g in torch_parameter.grad.tolist()]}")

# %% [markdown]
# A rate of 3 is far too large for LeNet. With gradients clipped to norm 0.1 it trains all the same:

# %%
for name, tx in {
    "rate 3": optim.sgd(3.0),
    "rate 3, clipped": optax.chain(optim.clip_grad_norm(0.1), optim.sgd(3.0)),
}.items():
    _, history = train.fit(model, losses.cross_entropy, tx, small, key=jax.random.key(0), epochs=2, batch_size=256)
    print(f"{name}: more than 60% of the test set right after 2 epochs: {bool(history.test_accuracy[-1] > 0.6)}")

# %% [markdown]
# ## Exercises
#
# **1. What is a good constant rate?** One program tries three of them for five epochs, here with an MLP, which is
# quicker:

# %%
rates = [0.03, 0.1, 0.3]
perceptron = models.mlp(784, 64, 10)
result = sweep(
    perceptron,
    losses.cross_entropy,
    optim.sgd,
    small,
    seeds=[0],
    grid={"learning_rate": rates},
    epochs=5,
    batch_size=256,
)
for rate, accuracy in zip(rates, result.history.test_accuracy[0, :, -1], strict=True):
    print(f"rate {rate}: test accuracy {accuracy:.2f}")

# %% [markdown]
# **2. How does the exponent change the polynomial schedule?** See section 12.4: between 1/2 and 1.
#
# **3. The cosine for vision models has no theory behind it. Why does it work?** It stays near the first rate for a
# while, which explores, falls fastest in the middle, and ends with many small steps, in which the noise averages out.
#
# **4. How long should a warm-up be?** As long as the first rate is too large for random parameters. If a run with the
# full rate starts without a jump in the loss, none is needed.
#
# **5. Can optimisation and sampling be connected?** If noise of the right size is added to each step (a variance of
# twice the rate), a run with a small rate does not end at the minimum but draws from the distribution $e^{-f}$:
# stochastic gradient Langevin dynamics. On $f(x) = x^2 / 2$, which belongs to $\mathcal{N}(0, 1)$:

# %%
rate, draws = 0.01, []


def langevin(x, key):
    x = x - rate * x + jnp.sqrt(2 * rate) * jax.random.normal(key, x.shape)
    return x, x


_, samples = jax.lax.scan(langevin, jnp.zeros(1000), jax.random.split(jax.random.key(0), 1000))
print(f"mean near 0: {bool(abs(samples[-1].mean()) < 0.1)}, variance {samples[-1].var():.1f}")

# %% [markdown]
# ## Summary
#
# A schedule is a function of the step. Let the rate fall, with steps or a cosine; begin with a warm-up if the start is
# rough; clip if single gradients are. Rate $t$ belongs to step $t$, counted from 0.
