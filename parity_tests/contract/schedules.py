"""Clauses of the contract on learning-rate schedules (D2L 12.11)."""

from parity_tests.contract.clause import Clause

SCHEDULES = (
    Clause(
        "StepLR",
        "12.11",
        ("torch_rates('StepLR', 5, step_size=2, gamma=.5)", "[1, 1, 0.5, 0.5, 0.25]"),
        ("jax.vmap(optax.exponential_decay(1., 2, .5, staircase=True))(jnp.arange(5))", "[1, 1, 0.5, 0.5, 0.25]"),
        "Equal; without `staircase` optax interpolates.",
        ("jax.vmap(schedules.step_lr(1., 2, gamma=.5))(jnp.arange(5))", "[1, 1, 0.5, 0.5, 0.25]"),
    ),
    Clause(
        "MultiStepLR",
        "12.11",
        ("torch_rates('MultiStepLR', 5, milestones=[1, 3], gamma=.5)", "[1, 0.5, 0.5, 0.25, 0.25]"),
        ("jax.vmap(optax.piecewise_constant_schedule(1., {1: .5, 3: .5}))(jnp.arange(5))", "[1, 0.5, 0.5, 0.25, 0.25]"),
        "Equal.",
        ("jax.vmap(schedules.multi_step_lr(1., [1, 3], gamma=.5))(jnp.arange(5))", "[1, 0.5, 0.5, 0.25, 0.25]"),
    ),
    Clause(
        "ExponentialLR",
        "12.11",
        ("torch_rates('ExponentialLR', 4, gamma=.5)", "[1, 0.5, 0.25, 0.125]"),
        ("jax.vmap(optax.exponential_decay(1., 1, .5))(jnp.arange(4))", "[1, 0.5, 0.25, 0.125]"),
        "Equal.",
        ("jax.vmap(schedules.exponential_lr(1., .5))(jnp.arange(4))", "[1, 0.5, 0.25, 0.125]"),
    ),
    Clause(
        "LinearLR",
        "12.11",
        ("torch_rates('LinearLR', 4, total_iters=2)", "[0.3333, 0.6667, 1, 1]"),
        ("jax.vmap(optax.linear_schedule(0., 1., 2))(jnp.arange(4))", "[0, 0.5, 1, 1]"),
        "As torch, which starts at a third of the rate; in optax you choose.",
        ("jax.vmap(schedules.linear_lr(1., total_iters=2))(jnp.arange(4))", "[0.3333, 0.6667, 1, 1]"),
    ),
    Clause(
        "PolynomialLR",
        "12.11",
        ("torch_rates('PolynomialLR', 4, total_iters=2, power=2)", "[1, 0.25, 0, 0]"),
        ("jax.vmap(optax.polynomial_schedule(1., 0., 2, 2))(jnp.arange(4))", "[1, 0.25, 0, 0]"),
        "Equal.",
        ("jax.vmap(schedules.polynomial_lr(1., total_iters=2, power=2.))(jnp.arange(4))", "[1, 0.25, 0, 0]"),
    ),
    Clause(
        "CosineAnnealingLR",
        "12.11",
        ("torch_rates('CosineAnnealingLR', 5, T_max=2)", "[1, 0.5, 0, 0.5, 1]"),
        ("jax.vmap(optax.cosine_decay_schedule(1., 2))(jnp.arange(5))", "[1, 0.5, 0, 0, 0]"),
        "As torch, whose cosine rises again; optax's stays down, as does `schedules.cosine_with_warmup`.",
        ("jax.vmap(schedules.cosine_annealing_lr(1., 2))(jnp.arange(5))", "[1, 0.5, 0, 0.5, 1]"),
    ),
    Clause(
        "CosineAnnealingWarmRestarts",
        "12.11",
        ("torch_rates('CosineAnnealingWarmRestarts', 5, T_0=2)", "[1, 0.5, 1, 0.5, 1]"),
        ("jax.vmap(optax.cosine_decay_schedule(1., 2))(jnp.arange(5))", "[1, 0.5, 0, 0, 0]"),
        "As torch; in optax, `sgdr_schedule`.",
        ("jax.vmap(schedules.cosine_annealing_warm_restarts(1., 2))(jnp.arange(5))", "[1, 0.5, 1, 0.5, 1]"),
    ),
    Clause(
        "OneCycleLR",
        "12.11",
        ("torch_rates('OneCycleLR', 6, max_lr=1., total_steps=6, pct_start=.5)", "[0.04, 0.52, 1, 0.75, 0.25, 4e-06]"),
        (
            "jax.vmap(optax.cosine_onecycle_schedule(6, 1., pct_start=.5))(jnp.arange(6))",
            "[0.04, 0.28, 0.76, 1, 0.75, 0.25]",
        ),
        "As torch, which is highest one step before optax.",
        ("jax.vmap(schedules.one_cycle_lr(1., 6, pct_start=.5))(jnp.arange(6))", "[0.04, 0.52, 1, 0.75, 0.25, 4e-06]"),
    ),
)
