"""Special functions of jax.scipy.special."""

import jax
import jax.numpy as jnp
from jax.scipy import special

from parity_tests.operations.counterpart import Counterpart

SPECIAL: dict[str, Counterpart] = {
    "digamma": special.digamma,
    "erf": special.erf,
    "erfc": special.erfc,
    "erfinv": special.erfinv,
    "i0": special.i0,
    "igamma": special.gammainc,
    "igammac": special.gammaincc,
    "lgamma": special.gammaln,
    "mvlgamma_mvlgamma_p_1": special.multigammaln,
    "mvlgamma_mvlgamma_p_3": special.multigammaln,
    "mvlgamma_mvlgamma_p_5": special.multigammaln,
    "polygamma_polygamma_n_0": lambda x, n: special.polygamma(n, x),
    "polygamma_polygamma_n_1": lambda x, n: special.polygamma(n, x),
    "polygamma_polygamma_n_2": lambda x, n: special.polygamma(n, x),
    "polygamma_polygamma_n_3": lambda x, n: special.polygamma(n, x),
    "polygamma_polygamma_n_4": lambda x, n: special.polygamma(n, x),
    "special_polygamma_special_polygamma_n_0": lambda x, n: special.polygamma(n, x),
    "special_entr": special.entr,
    "special_i0e": special.i0e,
    "special_i1": special.i1,
    "special_i1e": special.i1e,
    "special_log_ndtr": special.log_ndtr,
    "special_modified_bessel_i0": special.i0,
    "special_modified_bessel_i1": special.i1,
    "special_ndtr": special.ndtr,
    "special_ndtri": special.ndtri,
    "special_spherical_bessel_j0": lambda x: jnp.sinc(x / jnp.pi),
    "special_xlog1py": special.xlog1py,
    "special_zeta": special.zeta,
    "xlogy": special.xlogy,
    "logaddexp": jnp.logaddexp,
    "logaddexp2": jnp.logaddexp2,
    "softmax": lambda x, dim: jax.nn.softmax(x, dim),
    "log_softmax": lambda x, dim: jax.nn.log_softmax(x, dim),
    "nn_functional_softmin": lambda x, dim: jax.nn.softmax(-x, dim),
    "logsumexp": lambda x, dim, keepdim=False: special.logsumexp(x, dim, keepdims=keepdim),
    "logcumsumexp": lambda x, dim: jax.lax.cumlogsumexp(x, dim % max(x.ndim, 1)),
}
